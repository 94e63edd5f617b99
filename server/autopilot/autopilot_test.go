package autopilot

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
)

var update = flag.Bool("update", false, "write the golden files")

// world is a cluster of made-up servers that a script moves along.
type world struct {
	now     time.Time
	config  *api.AutopilotConfiguration
	servers []*Server
	memory  Memory
	out     strings.Builder
}

func newWorld() *world {
	return &world{now: time.Unix(1000, 0).UTC(), config: api.DefaultAutopilotConfiguration(), memory: Memory{}}
}

func (w *world) find(id string) *Server {
	for _, s := range w.servers {
		if s.ID == id {
			return s
		}
	}
	s := &Server{ID: id, Name: id, Address: id + ":4647", Status: api.ServerAlive}
	s.Stats = &api.ServerStatus{ID: id, Cluster: "c", LastTerm: 1, LastIndex: 100}
	w.servers = append(w.servers, s)
	return s
}

func (w *world) observe() *Observation {
	o := &Observation{Time: w.now, Config: w.config, Cluster: "c", Term: 1, LastIndex: 100}
	for _, s := range w.servers {
		o.Servers = append(o.Servers, *s)
	}
	return o
}

// apply makes a change as Raft would.
func (w *world) apply(c Change) {
	s := w.find(c.ID)
	switch c.Verb {
	case Add:
		s.Raft, s.RaftAddress = true, c.Address
	case Move:
		s.RaftAddress = c.Address
	case Promote:
		s.Voter = true
	case Demote:
		s.Voter = false
	case Remove:
		s.Raft, s.Voter = false, false
	case Yield:
		for _, other := range w.servers {
			if other.ID != s.ID && other.Voter && !other.Nonvoter && other.Status == api.ServerAlive {
				s.Leader, other.Leader = false, true
				return
			}
		}
	}
}

// settle makes all changes that are due and writes them down.
func (w *world) settle() {
	for range 50 {
		o := w.observe()
		Judge(o, w.memory)
		c, ok := Decide(o, w.memory)
		if !ok {
			return
		}
		fmt.Fprintf(&w.out, "  %s %s: %s\n", c.Verb, c.ID, c.Reason)
		w.apply(c)
	}
	w.out.WriteString("  never settles\n")
}

// do runs a line of a script: a server and what becomes of it, "wait DURATION",
// "set OPTION" or "show".
func (w *world) do(t *testing.T, line string) {
	f := strings.Fields(line)
	if len(f) < 1 {
		return
	}
	fmt.Fprintf(&w.out, "%s\n", line)
	switch f[0] {
	case "wait":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			t.Fatal(err)
		}
		for end := w.now.Add(d); w.now.Before(end); {
			w.now = w.now.Add(time.Second)
			w.settle()
		}
	case "set":
		w.set(t, f[1], f[2])
		w.settle()
	case "show":
		w.show()
	default:
		for _, what := range f[1:] {
			w.become(t, w.find(f[0]), what)
		}
		w.settle()
	}
}

func (w *world) set(t *testing.T, option, value string) {
	switch option {
	case "zones":
		w.config.EnableRedundancyZones = value == "on"
	case "cleanup":
		w.config.CleanupDeadServers = value == "on"
	case "quorum":
		n, _ := strconv.Atoi(value)
		w.config.MinQuorum = uint(n)
	default:
		t.Fatalf("unknown option %q", option)
	}
}

func (w *world) become(t *testing.T, s *Server, what string) {
	name, value, _ := strings.Cut(what, "=")
	switch name {
	case "leader":
		s.Raft, s.Voter, s.Leader, s.RaftAddress = true, true, true, s.Address
	case "voter":
		s.Raft, s.Voter, s.RaftAddress = true, true, s.Address
	case "joins":
		s.Status = api.ServerAlive
	case "failed", "left", "none", "alive":
		s.Status = name
	case "mute":
		s.Stats = nil
	case "answers":
		s.Stats = &api.ServerStatus{ID: s.ID, Cluster: "c", LastTerm: 1, LastIndex: 100}
	case "poses":
		s.Stats = &api.ServerStatus{ID: value, Cluster: "c", LastTerm: 1, LastIndex: 100}
	case "cluster":
		s.Stats = &api.ServerStatus{ID: s.ID, Cluster: value, LastTerm: 1, LastIndex: 100}
	case "unsure": // it has a log, of whatever cluster
		s.Stats = &api.ServerStatus{ID: s.ID, Bootstrapped: true, LastTerm: 1, LastIndex: 100}
	case "lags":
		s.Stats = &api.ServerStatus{ID: s.ID, Cluster: "c", LastTerm: 1}
		w.config.MaxTrailingLogs = 10
	case "nonvoter":
		s.Nonvoter = true
	case "zone":
		s.Zone = value
	case "at":
		s.Address = value
	default:
		t.Fatalf("unknown word %q", what)
	}
}

func (w *world) show() {
	h := Judge(w.observe(), w.memory)
	fmt.Fprintf(&w.out, "  healthy=%v tolerance=%d optimistic=%d leader=%s voters=%v replicas=%v\n", h.Healthy, h.FailureTolerance, h.OptimisticFailureTolerance, h.Leader, h.Voters, h.ReadReplicas)
	for _, s := range h.Servers {
		fmt.Fprintf(&w.out, "  %s %s %s healthy=%v voter=%v since=%d\n", s.ID, s.Address, s.SerfStatus, s.Healthy, s.Voter, s.StableSince.Unix())
	}
	for _, name := range []string{"a", "b", "c"} {
		if z := h.RedundancyZones[name]; z != nil {
			fmt.Fprintf(&w.out, "  zone %s servers=%v voters=%v tolerance=%d\n", name, z.Servers, z.Voters, z.FailureTolerance)
		}
	}
}

// TestScripts runs the scripts of testdata and compares the whole trace.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".script"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld()
			for line := range strings.Lines(string(script)) {
				w.do(t, strings.TrimSpace(line))
			}
			golden := strings.TrimSuffix(file, ".script") + ".trace"
			if *update {
				if err := os.WriteFile(golden, []byte(w.out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != w.out.String() {
				t.Errorf("%s differs (%v); got:\n%s", golden, err, w.out.String())
			}
		})
	}
}

// TestQuorumIsNeverGivenAway: whatever happens to the servers, no change leaves
// fewer living voters than a majority, nor fewer voters than the operator wants.
func TestQuorumIsNeverGivenAway(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newWorld()
		w.config.EnableRedundancyZones, w.config.MinQuorum = r.IntN(2) == 0, uint(r.IntN(4))
		for i := range 3 + r.IntN(4) {
			s := w.find(fmt.Sprint(i))
			s.Raft, s.Voter, s.RaftAddress, s.Leader = true, r.IntN(4) > 0 || i == 0, s.Address, i == 0
			s.Zone = []string{"", "a", "b", "c"}[r.IntN(4)]
			s.Nonvoter = r.IntN(6) == 0 && i > 0
		}
		for range 60 {
			w.now = w.now.Add(time.Duration(r.IntN(30)) * time.Second)
			if s := w.servers[r.IntN(len(w.servers))]; !s.Leader {
				s.Status = []string{api.ServerAlive, api.ServerAlive, api.ServerFailed, api.ServerUnknown}[r.IntN(4)]
			}
			o := w.observe()
			Judge(o, w.memory)
			c, ok := Decide(o, w.memory)
			if !ok {
				continue
			}
			before := len(o.voters())
			w.apply(c)
			after := w.observe()
			if n := sound(after.voters(), "", w.memory); (c.Verb == Demote || c.Verb == Remove) && c.Voter && n < majority(len(after.voters())) {
				t.Fatalf("seed %d: %+v leaves %d living of %d voters", seed, c, n, len(after.voters()))
			}
			if c.Verb == Remove && c.Voter && len(after.voters()) < int(w.config.MinQuorum) {
				t.Fatalf("seed %d: %+v leaves %d voters of %d, with min_quorum %d", seed, c, len(after.voters()), before, w.config.MinQuorum)
			}
		}
	}
}

// TestTheLoopLooksAgain: after a change at once, else with news or the clock.
func TestTheLoopLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.find("1").Leader, w.find("1").Raft, w.find("1").Voter, w.find("1").RaftAddress = true, true, true, "1:4647"
		var mu sync.Mutex // guards all of them
		looks, news := 0, make(chan struct{})
		l := New(Config{
			Logger: slog.New(slog.DiscardHandler), Changed: func() <-chan struct{} {
				mu.Lock()
				defer mu.Unlock()
				return news
			},
			Observe: func(context.Context) (*Observation, error) {
				mu.Lock()
				defer mu.Unlock()
				looks++
				if looks == 1 {
					return nil, errors.New("not yet")
				}
				w.now = time.Now()
				return w.observe(), nil
			},
			Apply: func(_ context.Context, c Change) error {
				mu.Lock()
				defer mu.Unlock()
				w.apply(c)
				return nil
			},
		})
		if l.Health() != nil {
			t.Error("a report of nothing")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		time.Sleep(every + time.Millisecond)
		synctest.Wait()
		mu.Lock()
		if looks != 2 || len(l.Health().Voters) != 1 {
			t.Errorf("%d looks after %s, report %+v", looks, every, l.Health())
		}
		w.find("2")
		old := news
		news = make(chan struct{})
		mu.Unlock()
		close(old)
		synctest.Wait()
		mu.Lock()
		if looks != 4 || !w.find("2").Raft {
			t.Errorf("%d looks after news", looks)
		}
		stable := w.config.ServerStabilizationTime.Std()
		mu.Unlock()
		time.Sleep(stable + 2*every)
		synctest.Wait()
		mu.Lock()
		if !w.find("2").Voter {
			t.Error("the new server has no vote")
		}
		mu.Unlock()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
