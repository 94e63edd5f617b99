package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

// markWait bounds how long a server may take to get to a mark and hash its state.
const markWait = 20 * time.Second

// Verify compares the states of all servers at one place in the log; on the leader.
func (s *Server) Verify(ctx context.Context) (api.StateVerification, error) {
	done, err := s.raft.Do(ctx, &fsm.StateMark{ID: uuid.NewString()})
	if err != nil {
		return api.StateVerification{}, err
	}
	conf, err := s.RaftConfiguration()
	if err != nil {
		return api.StateVerification{}, err
	}
	out := api.StateVerification{Index: done.Index, Servers: make([]api.ServerTables, len(conf.Servers))}
	var asking sync.WaitGroup
	for i, x := range conf.Servers {
		t := &out.Servers[i]
		*t = api.ServerTables{ID: x.ID, Name: x.Node, Address: x.Address, Leader: x.Leader}
		asking.Go(func() {
			tables, err := s.tablesOf(ctx, x, done.Index)
			if t.Tables = tables; err != nil {
				t.Error = err.Error()
			}
		})
	}
	asking.Wait()
	out.Differ, out.Agree = compareTables(out.Servers)
	return out, nil
}

// tablesOf asks a server for the hashes of its tables.
func (s *Server) tablesOf(ctx context.Context, x *api.RaftServer, index uint64) (map[string]string, error) {
	if x.ID == s.cfg.ID {
		return s.hashes(ctx, index)
	}
	ctx, cancel := context.WithTimeout(ctx, markWait+askWait)
	defer cancel()
	st, err := s.cfg.Membership.Ask(ctx, x.Address, &api.ServerStatusRequest{Mark: index})
	switch {
	case err != nil:
		return nil, err
	case st.TablesErr != "":
		return nil, fmt.Errorf("%s", st.TablesErr)
	case st.Tables == nil:
		return nil, fmt.Errorf("it runs a build that does not hash its state; upgrade it")
	}
	return st.Tables, nil
}

// hashes gives the hashes of this server's tables as of a mark.
func (s *Server) hashes(ctx context.Context, index uint64) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, markWait)
	defer cancel()
	list, err := s.raft.HashesAt(ctx, index)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(list))
	for _, x := range list {
		out[x.Name] = fmt.Sprintf("%016x", x.Hash)
	}
	return out, nil
}

// compareTables gives the tables that are not the same on all servers that have
// answered, and whether all have, and have the same.
func compareTables(servers []api.ServerTables) (differ []string, agree bool) {
	first := map[string]string{}
	agree = true
	differ = []string{}
	for i := range servers {
		agree = agree && servers[i].Error == ""
		for name, hash := range servers[i].Tables {
			if was, ok := first[name]; !ok {
				first[name] = hash
			} else if was != hash && !slices.Contains(differ, name) {
				differ = append(differ, name)
			}
		}
	}
	for i := range servers {
		for name := range first { // a table that one of them does not have
			if _, has := servers[i].Tables[name]; !has && servers[i].Error == "" && !slices.Contains(differ, name) {
				differ = append(differ, name)
			}
		}
	}
	slices.Sort(differ)
	return differ, agree && len(differ) == 0
}
