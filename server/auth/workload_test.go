package auth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/keyring"
	"github.com/seraihq/serai/server/state"
)

// cluster is a state with a root key, and what signs by it.
type cluster struct {
	*fsm.FSM
	index uint64
	ring  *keyring.Ring
}

func (c *cluster) apply(t *testing.T, command fsm.Command) {
	t.Helper()
	b, err := fsm.Encode(command)
	if err != nil {
		t.Fatal(err)
	}
	c.index++
	if _, err := c.Apply(c.index, b); err != nil {
		t.Fatal(err)
	}
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{FSM: fsm.New(state.New()), ring: keyring.NewRing("")}
	key, err := keyring.New(api.SignatureEdDSA, time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	c.apply(t, &fsm.RootKeyAdd{Key: key})
	return c
}

// put writes an allocation of a job.
func (c *cluster) put(t *testing.T, a *api.Allocation) {
	t.Helper()
	c.index++
	tx := c.Store().Begin(c.index)
	tx.PutAllocation(a)
	tx.Commit()
}

func (c *cluster) sign(t *testing.T, a *api.Allocation, task string) api.Sensitive {
	t.Helper()
	signed, err := c.ring.Sign(c.Store().View(), a, task, &api.WorkloadIdentity{Name: api.DefaultIdentity}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return signed.Token
}

func (c *cluster) policy(t *testing.T, name string, j api.JobACL) {
	t.Helper()
	p := &api.ACLPolicy{Name: name, Rules: `namespace "prod" { capabilities = ["read-job"] }`, JobACL: &j}
	p.SetHash()
	c.apply(t, &fsm.ACLPolicyUpsert{Policies: []*api.ACLPolicy{p}})
}

// TestWorkloads follows what the identity of a task may do, from a cluster
// without policies to the end of the allocation.
func TestWorkloads(t *testing.T) {
	c := newCluster(t)
	r := NewResolver(time.Now)
	job := &api.Job{ID: "shop", Name: "shop", Namespace: "prod", Region: "global", TaskGroups: []*api.TaskGroup{{Name: "web", Tasks: []*api.Task{{Name: "server"}, {Name: "other"}}}}}
	a := &api.Allocation{ID: "11111111-2222-3333-4444-555555555555", Namespace: "prod", JobID: "shop", TaskGroup: "web", Job: job, NodeID: "n", ClientStatus: api.AllocClientRunning, DesiredStatus: api.AllocDesiredRun}
	token := c.sign(t, a, "server")
	reads := func(what string, token api.Sensitive, want bool) {
		t.Helper()
		id, err := r.Resolve(c.Store().View(), token)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if id.Token != nil || id.Workload == nil || id.ACL.Management() || id.ACL.Namespace("prod", "read-job") != want || id.ACL.Namespace("default", "read-job") {
			t.Errorf("%s: %+v", what, id)
		}
	}
	if _, err := r.Resolve(c.Store().View(), token); !errors.Is(err, api.ErrDenied) || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("of an allocation that is not there: %v", err)
	}
	c.put(t, a)
	reads("without policies", token, false)
	everybody := &api.ACLPolicy{Name: api.AnonymousPolicy, Rules: `namespace "prod" { policy = "read" }`}
	everybody.SetHash()
	c.apply(t, &fsm.ACLPolicyUpsert{Policies: []*api.ACLPolicy{everybody}})
	reads("anonymous is not its policy", token, false)
	for name, j := range map[string]api.JobACL{
		"other-namespace": {Namespace: "default", JobID: "shop"}, "longer": {Namespace: "prod", JobID: "shop2"}, "shorter": {Namespace: "prod", JobID: "sho"},
		"other-group": {Namespace: "prod", JobID: "shop", Group: "db"}, "other-task": {Namespace: "prod", JobID: "shop", Group: "web", Task: "other"},
		"glob": {Namespace: "prod", JobID: "*"},
	} {
		c.policy(t, name, j)
	}
	reads("policies of others", token, false)
	reads("the other task's", c.sign(t, a, "other"), true)
	for _, j := range []api.JobACL{{Namespace: "prod", JobID: "shop"}, {Namespace: "prod", JobID: "shop", Group: "web"}, {Namespace: "prod", JobID: "shop", Group: "web", Task: "server"}} {
		c.policy(t, "own", j)
		reads("a policy of its own", token, true)
		c.apply(t, &fsm.ACLPolicyDelete{Names: []string{"own"}})
		reads("which is deleted", token, false)
	}
	stopping := *a
	stopping.DesiredStatus = api.AllocDesiredStop
	c.put(t, &stopping)
	reads("while it is being stopped", token, false)
	over := stopping
	over.ClientStatus = api.AllocClientComplete
	c.put(t, &over)
	if _, err := r.Resolve(c.Store().View(), token); !errors.Is(err, api.ErrDenied) || WrongSecret(err) || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("after its end: %v", err)
	}
	if _, err := r.Resolve(c.Store().View(), token+"x"); !WrongSecret(err) {
		t.Errorf("a forged one: %v", err)
	}
}

func BenchmarkWorkload(b *testing.B) {
	t := &testing.T{}
	c := newCluster(t)
	r := NewResolver(time.Now)
	job := &api.Job{ID: "shop", Namespace: "prod", Region: "global", TaskGroups: []*api.TaskGroup{{Name: "web", Tasks: []*api.Task{{Name: "server"}}}}}
	a := &api.Allocation{ID: "11111111-2222-3333-4444-555555555555", Namespace: "prod", JobID: "shop", TaskGroup: "web", Job: job, ClientStatus: api.AllocClientRunning}
	c.put(t, a)
	token := c.sign(t, a, "server")
	view := c.Store().View()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Resolve(view, token); err != nil {
			b.Fatal(err)
		}
	}
}
