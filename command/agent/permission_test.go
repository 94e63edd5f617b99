package agent

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
)

// thorough makes the matrix whole, which takes minutes. Without it, wrong secrets
// go through a part of it.
var thorough = os.Getenv("SERAI_SECURITY") == "all"

// cell is one request of the matrix.
type cell struct {
	op        *api.Endpoint
	namespace string
	method    string
	path      string // with the query
	body      string
}

// cells gives the requests for an operation, from the table alone: on what there
// is, or with absent on what there is not.
func (w *world) cells(op *api.Endpoint, absent bool) []cell {
	var out []cell
	for _, ns := range []string{"ns1", "ns2"} {
		c := cell{op: op, namespace: ns, method: op.Method}
		if op.Namespace == api.NamespaceNone && ns != "ns1" {
			continue
		}
		path := op.Path
		for name, value := range w.values(op, ns, absent) {
			path = strings.ReplaceAll(path, "{"+name+"}", value)
		}
		c.path = path + "?namespace=" + ns
		switch {
		case op == api.JobActionRun.Endpoint:
			c.path += "&action=a&allocID=" + w.things[ns].alloc
		case op == api.FSLogs.Endpoint:
			c.path += "&task=t&type=stdout"
		case strings.HasPrefix(op.Path, "/v1/client/fs/"):
			c.path += "&path=alloc"
		}
		if op.HasBody() && !op.RawBody() {
			c.body = w.bodyOf(op, ns, absent)
		}
		out = append(out, c)
	}
	return out
}

func (w *world) values(op *api.Endpoint, ns string, absent bool) map[string]string {
	if absent {
		return map[string]string{"id": uuid.NewString(), "name": "absent-" + ns, "tag": "absent"}
	}
	id := "web"
	for prefix, value := range map[string]string{
		"/v1/allocation/": w.things[ns].alloc, "/v1/client/": w.things[ns].alloc, "/v1/evaluation/": w.things[ns].eval,
		"/v1/deployment/": w.things[ns].deployment, "/v1/scaling/": w.things[ns].scaling, "/v1/node/": w.node,
		"/v1/acl/token/": w.token, "/v1/acl/role/": w.role,
	} {
		if strings.HasPrefix(op.Path, prefix) {
			id = value
		}
	}
	name := ns
	switch {
	case strings.HasPrefix(op.Path, "/v1/node/pool/"):
		name = "pool1"
	case strings.HasPrefix(op.Path, "/v1/acl/policy/"):
		name = "shape-13"
	case strings.HasPrefix(op.Path, "/v1/acl/role/name/"):
		name = "role-1"
	}
	return map[string]string{"id": id, "name": name, "tag": "tag"}
}

// bodyOf gives a body that would change something, or one that cannot.
func (w *world) bodyOf(op *api.Endpoint, ns string, absent bool) string {
	body := map[string]any{}
	switch op {
	case api.JobsRegister.Endpoint, api.JobUpdate.Endpoint, api.JobPlan.Endpoint, api.JobValidate.Endpoint:
		body["Job"] = job(ns)
	case api.JobsPlan.Endpoint:
		body["Jobs"] = []any{job(ns)}
	case api.JobsParse.Endpoint:
		body["JobHCL"] = `job "x" {}`
	case api.NodePoolUpsert.Endpoint, api.NodePoolWrite.Endpoint:
		body["Name"] = "pool1"
	case api.NodeEligibility.Endpoint:
		body["Eligibility"] = "ineligible"
	case api.NodeDrain.Endpoint:
		body["DrainSpec"] = map[string]any{"Deadline": 1000000000}
	case api.ClientMetaApply.Endpoint:
		body["Meta"], body["NodeID"] = map[string]string{"x": "y"}, w.node
	case api.SearchPrefix.Endpoint, api.SearchFuzzy.Endpoint:
		body["Prefix"], body["Text"], body["Context"] = "", mark("ns"), "all"
	case api.DeploymentPromote.Endpoint:
		body["All"] = true
	case api.ACLPolicyWrite.Endpoint:
		body["Rules"] = `namespace "*" { policy = "write" }`
	case api.ACLTokenCreate.Endpoint, api.ACLTokenUpdate.Endpoint:
		body["Type"] = "management"
	}
	if absent && op.Kind != api.Read && op.Kind != api.Lookup {
		switch op {
		case api.JobsRegister.Endpoint, api.JobUpdate.Endpoint: // the namespace must be seen, and the job must not be good
			body["Job"].(map[string]any)["TaskGroups"] = nil
		default:
			body = map[string]any{}
		}
	}
	b, _ := json.Marshal(body)
	return string(b)
}

// upsets are operations that a token which may run them would change the world
// of the test with; they are tried with tokens that may not.
var upsets = []*api.Endpoint{
	api.SystemGC.Endpoint, api.SystemReconcileSummaries.Endpoint, api.SchedulerConfigWrite.Endpoint, api.AutopilotConfigWrite.Endpoint, api.AgentReload.Endpoint,
	api.CARotate.Endpoint, api.CARetire.Endpoint, api.RaftTransfer.Endpoint, api.SnapshotRestore.Endpoint, api.ClientGC.Endpoint, api.AllocGC.Endpoint, api.AgentSetServers.Endpoint, api.AgentJoin.Endpoint, api.AgentForceLeave.Endpoint,
}

// TestPermissionMatrix asks for every operation of the table with every kind of
// token, and holds each answer against the table. A handler that forgets to check
// fails here.
func TestPermissionMatrix(t *testing.T) {
	w := newWorld(t)
	before := w.state()
	known := page(t)
	denied, allowed := 0, 0
	for i := range shapes {
		s := &shapes[i]
		if s.anonymous {
			w.must("PUT", "/v1/acl/policy/anonymous", map[string]any{"Rules": s.rules}, nil)
			w.await("policy at the server that the node asks", func() bool { // a follower may be behind
				status, _ := w.do(kept, "GET", w.client+"/v1/client/allocation/"+w.things["ns1"].alloc+"/stats", "", "")
				return status != http.StatusForbidden
			})
		}
		for j, entry := range entries {
			for k, op := range operations() {
				if s.invalid && entry == "task" || s.short && (entry != "leader" || !thorough && len(op.Name)%5 != 0) || !thorough && entry != "leader" && (i+j+k)%4 != 0 {
					continue // TestWrongSecretsPassedOn has the others
				}
				d, a := w.row(s, entry, op, known[nameOf(op)].capability)
				denied, allowed = denied+d, allowed+a
			}
		}
		if s.anonymous {
			w.must("DELETE", "/v1/acl/policy/anonymous", nil, nil)
		}
	}
	for _, path := range []string{"/v1/namespace/absent-ns1", "/v1/node/pool/absent-ns1"} { // what may be written was
		w.do(kept, "DELETE", w.server+path, bootSecret, "")
	}
	if after := w.state(); after != before {
		t.Errorf("something was changed:\n%s\nwas\n%s", after, before)
	}
	t.Logf("%d requests refused, %d let through", denied, allowed)
	if denied < 1000 || allowed < 200 {
		t.Error("that is too few: the matrix is not generated any more")
	}
}

// TestWrongSecretsPassedOn comes with what is no token through agents that pass
// it on. Wrong secrets are held against the agent, so that each takes seconds:
// all kinds go at once, through a part of the operations.
func TestWrongSecretsPassedOn(t *testing.T) {
	w := newWorld(t)
	known := page(t)
	every := 150
	if thorough {
		every = 6
	}
	for _, entry := range entries[1:] {
		var all sync.WaitGroup
		for i := range shapes {
			s := &shapes[i]
			if !s.short {
				continue
			}
			each := every
			if entry == "task" && thorough { // they share one address
				each *= 4
			}
			all.Go(func() {
				for k, op := range operations() {
					if (i+k)%each == 0 {
						w.row(s, entry, op, known[nameOf(op)].capability)
					}
				}
			})
		}
		all.Wait()
	}
}

// entries are the agents that are asked, and the socket that a task has of one.
var entries = []string{"leader", "follower", "client", "task"}

func (w *world) at(entry string) string {
	return map[string]string{"leader": w.server, "follower": w.other, "client": w.client, "task": "http://task"}[entry]
}

// from gives what a shape asks an entry with, and what is to be done with it then.
func (w *world) from(s *shape, entry string) (from *http.Client, done func()) {
	switch {
	case entry == "task":
		return w.socket, func() {}
	case s.invalid:
		from = w.caller()
		return from, from.CloseIdleConnections
	}
	return kept, func() {}
}

// passes says whether a shape gets through the door of an entry to an operation.
func (s *shape) passes(entry, capability, namespace string) bool {
	if entry == "task" && (s.invalid || s.nobody()) {
		return false // also to what is public elsewhere
	}
	return s.allows(capability, namespace)
}

// nobody says that nothing is shown.
func (s *shape) nobody() bool { return s.anonymous || s.name == "none" }

// row asks for one operation in every namespace.
func (w *world) row(s *shape, entry string, op *api.Endpoint, capability string) (denied, allowed int) {
	t, at := w.t, w.at(entry)
	from, done := w.from(s, entry)
	defer done()
	refusal, says := http.StatusForbidden, "Permission denied"
	if entry == "task" && s.nobody() {
		refusal, says = http.StatusUnauthorized, "Unauthorized"
	}
	real, absent := w.cells(op, false), w.cells(op, true)
	for i, c := range real {
		where := s.name + " by " + entry + ": " + op.Name + " " + c.method + " " + c.path
		if s.passes(entry, capability, c.namespace) && !w.forServers(entry, op) {
			allowed++
			if slices.Contains(upsets, op) {
				continue
			}
			if op.Kind == api.Write || op.Method != http.MethodGet && op.Kind != api.Lookup {
				c = absent[i]
			}
			if op == api.ACLOneTimeExchange.Endpoint || w.asksOwn(s, op, c) {
				continue
			}
			status, body := w.do(from, c.method, at+c.path, w.secrets[s.name], c.body)
			if status == http.StatusForbidden && !w.unknownObject(s, op, c, absent[i]) {
				t.Errorf("%s: refused, and the table allows it: %s", where, body)
			}
			continue
		}
		denied++
		status, body := w.do(from, c.method, at+c.path, w.secrets[s.name], c.body)
		if status != refusal {
			t.Errorf("%s: %d, and the table refuses it: %.300s", where, status, body)
			continue
		}
		if !strings.Contains(body, says) && !(s.invalid && strings.Contains(body, "ACL token ")) {
			t.Errorf("%s: %q says not that it is refused", where, body)
		}
		if strings.Contains(body, "mark-of") || strings.Contains(body, `{"`) {
			t.Errorf("%s: the refusal holds something: %s", where, body)
		}
		if op.Namespace != api.NamespaceObject {
			continue
		}
		c = absent[i]
		if other, text := w.do(from, c.method, at+c.path, w.secrets[s.name], c.body); other != status || text != body {
			t.Errorf("%s: %d %q, and for a random ID %d %q", where, status, body, other, text)
		}
	}
	return denied, allowed
}

// forServers finds the operations that change trust: what a client agent passes
// on is the client's, and refused.
func (w *world) forServers(entry string, op *api.Endpoint) bool {
	return (entry == "client" || entry == "task") && op.Method != http.MethodGet && (strings.HasPrefix(op.Path, "/v1/operator/ca/") || strings.HasPrefix(op.Path, "/v1/operator/join-token"))
}

// unknownObject says that a request is about an object that does not exist: only
// a token that may see every one is told so.
func (w *world) unknownObject(s *shape, op *api.Endpoint, c, absent cell) bool {
	return op.Namespace == api.NamespaceObject && c == absent && !s.management ||
		op.Namespace == api.NamespacePath && c == absent
}

// asksOwn finds the operations that show a token only what is its own: those are
// for other tests.
func (w *world) asksOwn(s *shape, op *api.Endpoint, c cell) bool {
	return !s.management && slices.Contains([]*api.Endpoint{
		api.ACLPolicyRead.Endpoint, api.ACLTokenRead.Endpoint, api.ACLRoleRead.Endpoint, api.ACLRoleReadByName.Endpoint,
	}, op) || op == api.EventStream.Endpoint || op == api.ACLOneTimeCreate.Endpoint ||
		// a task that is not isolated asks for more than the table
		op == api.AllocExec.Endpoint || op == api.JobActionRun.Endpoint
}

// TestListsShowWhatIsReadable asks for all namespaces with tokens that may see
// one, and looks for anything of the other.
func TestListsShowWhatIsReadable(t *testing.T) {
	w := newWorld(t)
	foreign := w.things["ns2"]
	for _, name := range []string{"ns1 read", "ns1 write", "glob read, ns2 denied", "by a role", "identity of a task"} {
		for _, op := range api.Endpoints {
			lists := op.Lists() || op.Kind == api.Lookup
			if !lists || !strings.Contains(op.Capability, "-") && !op.Needs().Filtered {
				continue
			}
			for _, c := range w.cells(op, false) {
				path, _, _ := strings.Cut(c.path, "?")
				for _, entry := range entries {
					from, _ := w.from(&shape{}, entry)
					status, body := w.do(from, c.method, w.at(entry)+path+"?namespace=*", w.secrets[name], c.body)
					for _, secret := range []string{mark("ns2"), foreign.alloc, foreign.eval, foreign.deployment, foreign.scaling} {
						if strings.Contains(body, secret) && !strings.Contains(c.path, secret) {
							t.Errorf("%s: %s %s: %d, and shows %s", name, c.method, path, status, secret)
						}
					}
				}
			}
		}
	}
	// The same for what is readable: the lists are not just empty.
	for _, path := range []string{"/v1/jobs?namespace=*", "/v1/allocations?namespace=*", "/v1/evaluations?namespace=*", "/v1/deployments?namespace=*", "/v1/namespaces", "/v1/scaling/policies?namespace=*"} {
		status, body := w.do(kept, "GET", w.server+path, w.secrets["ns1 read"], "")
		if status != 200 || len(body) < 10 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
