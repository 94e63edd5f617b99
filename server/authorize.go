package server

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/events"
)

// Authorize finds out who a request comes from, and refuses what they may not
// do. It is for the operations that the agent or the client of a node answers;
// Handle does it by itself.
func (s *Server) Authorize(ctx context.Context, op *api.Endpoint, req any) (*auth.Identity, error) {
	if s.tokens == nil {
		return auth.All, nil
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	token, err := s.endpoints.Authorize(ctx, op, req)
	if stream, ok := req.(*api.EventStreamRequest); ok && err == nil {
		err = mayStream(token.ACL, stream)
	}
	return token, err
}

// bootstrapFile is where an operator writes the reset index, to be allowed
// another first token.
const bootstrapFile = "acl-bootstrap-reset"

func (s *Server) bootstrapReset() uint64 {
	if s.cfg.Dir == "" {
		return 0
	}
	f, err := os.Open(filepath.Join(s.cfg.Dir, bootstrapFile))
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			s.cfg.Logger.Warn("the reset index of access control cannot be read", "err", err)
		}
		return 0
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 64))
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		s.cfg.Logger.Warn("the file with the reset index of access control holds no number", "file", f.Name())
		return 0
	}
	return n
}

// topicNeeds are the topics of events in namespaces, which need read-job there.
var topicNeeds = map[string]bool{
	api.TopicJob: true, api.TopicAllocation: true, api.TopicEvaluation: true, api.TopicDeployment: true, api.TopicService: true,
}

// maySee says whether a token may see an event.
func maySee(acl *auth.ACL, e *api.Event) bool {
	switch {
	case acl.Management():
		return true
	case topicNeeds[e.Topic]:
		return acl.Namespace(e.Namespace, "read-job")
	case e.Topic == api.TopicNode:
		return acl.Scope("node", "read")
	case e.Topic == api.TopicNodePool:
		return acl.NodePool(e.Key, "read")
	}
	return false
}

// mayStream refuses a subscription of which nothing could ever be seen.
func mayStream(acl *auth.ACL, req *api.EventStreamRequest) error {
	if acl.Management() {
		return nil
	}
	namespace := auth.AskedNamespace(req)
	inNamespace := acl.Namespace(namespace, "read-job") || namespace == api.AllNamespaces && acl.AnyNamespace("read-job")
	topics := req.Topics
	if len(topics) == 0 {
		topics = []string{api.TopicAll}
	}
	for _, t := range topics {
		topic, _, _ := strings.Cut(t, ":")
		all := topic == api.TopicAll
		if (all || topicNeeds[topic]) && inNamespace ||
			(all || topic == api.TopicNode) && acl.Scope("node", "read") ||
			(all || topic == api.TopicNodePool) && acl.AnyNodePool("read") {
			return nil
		}
	}
	return auth.Denied("`read-job` in namespace `" + namespace + "`, `node:read` or `node_pool:read`, as the topics ask for; other topics need a management token")
}

// permitted gives the events of a stream that the owner of a secret may see, and
// ends it when the token is no longer valid.
func (s *Server) permitted(secret api.Sensitive, stream *events.Stream) func(context.Context) (*api.Events, error) {
	return func(ctx context.Context) (*api.Events, error) {
		for {
			found, err := stream.Next(ctx)
			if err != nil {
				return nil, err
			}
			token, err := s.endpoints.Resolve(secret)
			if err != nil {
				return nil, err
			}
			seen := found.Events[:0]
			for _, e := range found.Events {
				if maySee(token.ACL, e) {
					seen = append(seen, e)
				}
			}
			if len(seen) > 0 {
				found.Events = seen
				return found, nil
			}
		}
	}
}

// MigrateToken gives the token by which one node lets another fetch the disk of
// an allocation that was on it: nobody else knows its secret. Only the node that
// has the successor may ask.
func (s *Server) MigrateToken(token api.Sensitive, allocID string) (api.Sensitive, error) {
	v := s.store.View()
	asking, ok := v.Node(auth.MigrateNode(token))
	if !ok || !auth.MigrateValid(token, asking.ID, asking.SecretID, allocID) {
		return "", auth.Denied("`read-fs` in the namespace of what the ID names, if there is such a thing")
	}
	for a := range v.AllocationsByNode(asking.ID) {
		if a.PreviousAllocation != allocID {
			continue
		}
		old, ok := v.Allocation(allocID)
		if !ok || old.Namespace != a.Namespace || old.JobID != a.JobID {
			break
		}
		if has, ok := v.Node(old.NodeID); ok {
			return auth.MigrateToken(has.ID, has.SecretID, allocID), nil
		}
	}
	return "", auth.Denied("an allocation on the node that takes the place of this one")
}
