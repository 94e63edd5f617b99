package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
)

const bootSecret = "b0075ec2-0000-4000-8000-000000000001"

// world is a cluster with access control, over TLS: three servers, an agent with
// a client alone, and in each of two namespaces something of every kind.
type world struct {
	t          *testing.T
	server     string // addresses of the APIs: of the leader,
	client     string
	other      string            // and of a follower
	secrets    map[string]string // by the name of the shape
	identities map[string]string // of the tasks of the job "door"
	things     map[string]things // by namespace
	door       string            // the allocation behind whose socket socket is
	node       string
	token      string // accessor of a token
	role       string
	tls        *tls.Config  // of callers; nil: none
	own        *http.Client // keeps its connections; nil: kept
	agent      *Agent       // of the client
	socket     *http.Client // asks on the socket of a task of the client
}

type things struct{ alloc, eval, deployment, scaling string }

// caller sends requests from ever new addresses of this machine, so that wrong
// secrets are not held against each other.
var callers atomic.Uint32

func caller() *http.Client { return (&world{}).caller() }

func (w *world) caller() *http.Client {
	n := callers.Add(1)
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 7, byte(n>>8), byte(n))}}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableCompression: true, TLSClientConfig: w.tls}}
}

// kept is a caller that keeps its connections.
var kept = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}

// do sends a request and gives the answer's beginning: streams have no end. A
// machine that has much to do may lose its leader over it: that is waited for.
func (w *world) do(from *http.Client, method, url, secret, body string) (status int, text string) {
	w.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		status, text = w.once(from, method, url, secret, body)
		if status != http.StatusInternalServerError || !strings.Contains(text, "leader") || time.Now().After(end) {
			return status, text
		}
	}
}

func (w *world) once(from *http.Client, method, url, secret, body string) (status int, text string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if bearer, ok := strings.CutPrefix(secret, "Bearer "); ok {
		req.Header.Set("Authorization", "Bearer "+bearer)
	} else if secret != "" {
		req.Header.Set("X-Nomad-Token", secret)
	}
	if from == kept && w.own != nil {
		from = w.own
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := from.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK && resp.ContentLength < 0 && strings.Contains(url, "stream") || strings.Contains(url, "/monitor") && resp.StatusCode == http.StatusOK {
		return resp.StatusCode, ""
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp.StatusCode, string(data)
}

// must does something as the management token.
func (w *world) must(method, path string, body any, into any) {
	w.t.Helper()
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(b)
	}
	status, answer := w.do(kept, method, w.server+path, bootSecret, text)
	if status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(answer), into); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}

// mark is in what a namespace holds, and must be seen by nobody else.
func mark(namespace string) string { return "mark-of-" + namespace }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, secrets: map[string]string{}, things: map[string]things{}}
	ca := authority(t)
	w.secured(ca)
	leader, _ := leaderAgent(t, w.startServers(ca))
	w.bootstrap()
	c := aloneTLS(t, "node", leader.server.Address(), certificate(t, ca, pki.Request{Role: tlsx.RoleClient, Region: "global", Node: "node"}))
	c.ACL.Enabled, c.ACL.TokenTTL = true, 0
	w.client, w.agent = runTLS(t, c, nil)
	w.client = "https://" + w.client
	w.populate()
	w.openDoor()
	w.tokens()
	t.Cleanup(w.clear)
	return w
}

// secured lets the test call with a certificate of the command line.
func (w *world) secured(ca *pki.Authority) {
	_, w.tls = tool(w.t, certificate(w.t, ca, pki.Request{Role: tlsx.RoleCLI, Region: "global"}))
	w.tls.InsecureSkipVerify = true // the agents are looked at elsewhere
	w.own = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true, TLSClientConfig: w.tls}}
	w.t.Cleanup(w.own.CloseIdleConnections)
}

// bootstrap makes the first token.
func (w *world) bootstrap() {
	w.t.Helper()
	if status, body := w.do(kept, "PUT", w.server+"/v1/acl/bootstrap", "", `{"BootstrapSecret":"`+bootSecret+`"}`); status != 200 {
		w.t.Fatalf("bootstrap: %d %s", status, body)
	}
}

// startServers starts three servers.
func (w *world) startServers(ca *pki.Authority) (all []*serverAgent) {
	t := w.t
	key, err := pki.KeyPEM(ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		name := fmt.Sprint("s", i+1)
		cfg := config.Default()
		cfg.Name, cfg.DataDir, cfg.Ports, cfg.LogLevel = name, t.TempDir(), config.Ports{}, "WARN"
		cfg.Server.Enabled, cfg.Server.BootstrapExpect = true, 3
		keyFile := filepath.Join(t.TempDir(), "ca-key.pem")
		if err := os.WriteFile(keyFile, key, 0o600); err != nil {
			t.Fatal(err)
		}
		more := "acl {\n enabled = true\n token_min_expiration_ttl = \"1ms\"\n}\n" + tlsBlock(certificate(t, ca, pki.Request{Role: tlsx.RoleServer, Region: "global", Node: name}))
		more = strings.Replace(more, "tls {\n", "tls {\n ca_key_file = \""+keyFile+"\"\n", 1)
		if err := cfg.Parse("test.hcl", []byte(more)); err != nil {
			t.Fatal(err)
		}
		all = append(all, startConfigured(t, cfg))
	}
	together(t, all)
	first, followers := leaderAgent(t, all)
	w.server, w.other = "https://"+first.http.Address().String(), "https://"+followers[0].http.Address().String()
	return all
}

func (w *world) populate() {
	var nodes []*api.NodeListStub
	w.must("GET", "/v1/nodes", nil, &nodes)
	if len(nodes) != 1 {
		w.t.Fatalf("%d nodes", len(nodes))
	}
	w.node = nodes[0].ID
	w.must("PUT", "/v1/node/pools", map[string]any{"Name": "pool1"}, nil)
	for _, ns := range []string{"ns1", "ns2"} {
		w.must("PUT", "/v1/namespace", map[string]any{"Name": ns, "Description": mark(ns)}, nil)
		w.must("PUT", "/v1/jobs?namespace="+ns, map[string]any{"Job": job(ns)}, nil)
		var x things
		w.await("an allocation in "+ns, func() bool {
			var allocs []*api.AllocationListStub
			var deployments []*api.Deployment
			w.must("GET", "/v1/allocations?namespace="+ns, nil, &allocs)
			w.must("GET", "/v1/deployments?namespace="+ns, nil, &deployments)
			if len(allocs) == 0 || len(deployments) == 0 {
				return false
			}
			x.alloc, x.eval, x.deployment = allocs[0].ID, allocs[0].EvalID, deployments[0].ID
			return true
		})
		var policies []*api.ScalingPolicyListStub
		w.must("GET", "/v1/scaling/policies?namespace="+ns, nil, &policies)
		x.scaling = policies[0].ID
		w.things[ns] = x
	}
	w.await("end of the allocations", func() bool {
		for _, x := range w.things {
			var a api.Allocation
			w.must("GET", "/v1/allocation/"+x.alloc, nil, &a)
			if status, _ := w.do(kept, "GET", w.client+"/v1/client/fs/ls/"+x.alloc, bootSecret, ""); status != 200 || a.ClientStatus != api.AllocClientFailed {
				return false
			}
		}
		return true
	})
	last, same := "", 0
	w.await("rest", func() bool {
		time.Sleep(50 * time.Millisecond)
		now := w.state()
		if same++; now != last {
			last, same = now, 0
		}
		return same > 10
	})
}

// clear has the node give back what the allocations took.
func (w *world) clear() {
	for ns := range w.things {
		w.do(kept, "DELETE", w.server+"/v1/job/web?purge=true&namespace="+ns, bootSecret, "")
	}
	w.do(kept, "DELETE", w.server+"/v1/job/door?purge=true", bootSecret, "")
	w.await("room on the node", func() bool {
		w.do(kept, "PUT", w.server+"/v1/system/gc", bootSecret, "")
		for _, alloc := range []string{w.things["ns1"].alloc, w.things["ns2"].alloc, w.door} {
			if status, _ := w.do(kept, "GET", w.client+"/v1/client/fs/ls/"+alloc, bootSecret, ""); status == 200 {
				return false
			}
		}
		return true
	})
}

func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("still no %s", what)
		}
	}
}

// job is a job whose task never starts: its driver does not like the config.
func job(namespace string) map[string]any {
	return map[string]any{
		"ID": "web", "Name": mark(namespace), "Namespace": namespace, "Type": "service", "Datacenters": []string{"dc1"},
		"TaskGroups": []any{map[string]any{
			"Name": "g", "Count": 1, "Scaling": map[string]any{"Min": 1, "Max": 5, "Enabled": true},
			"Update":           map[string]any{"MaxParallel": 1, "HealthCheck": "manual", "MinHealthyTime": 1000000000, "HealthyDeadline": 600000000000, "ProgressDeadline": 1200000000000},
			"RestartPolicy":    map[string]any{"Attempts": 0, "Mode": "fail", "Interval": 60000000000, "Delay": 1000000000},
			"ReschedulePolicy": map[string]any{"Attempts": 0, "Unlimited": false},
			"Tasks":            []any{map[string]any{"Name": "t", "Driver": "mock_driver", "Config": map[string]any{"start_error": "it never starts"}}},
		}},
	}
}

// tokens makes the tokens of the shapes.
func (w *world) tokens() {
	w.secrets["management"] = bootSecret
	for i := range shapes {
		s := &shapes[i]
		policies := map[string]string{fmt.Sprintf("shape-%d", i): s.rules, fmt.Sprintf("shape-%d-second", i): s.second}
		maps.DeleteFunc(policies, func(_, rules string) bool { return rules == "" })
		if s.anonymous || s.name == "management" || s.name == "none" {
			continue
		}
		for name, rules := range policies {
			policy := map[string]any{"Rules": rules}
			if s.how == ofTask {
				policy["JobACL"] = map[string]any{"Namespace": "default", "JobID": "door", "Group": "g", "Task": "t"}
			}
			w.must("PUT", "/v1/acl/policy/"+name, policy, nil)
		}
		w.secrets[s.name] = w.secretOf(s, slices.Sorted(maps.Keys(policies)))
	}
}

// secretOf makes a token, or what is none.
func (w *world) secretOf(s *shape, policies []string) string {
	switch s.how {
	case unknown:
		return "00000000-dead-4bad-8bad-000000000000"
	case malformed:
		return "not a \u00fcuid"
	case unsigned:
		return "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsIm5vbWFkX25hbWVzcGFjZSI6ImRlZmF1bHQifQ."
	case accessor:
		var t api.ACLTokenSecret
		w.must("PUT", "/v1/acl/token", map[string]any{"Type": "management"}, &t)
		return t.AccessorID
	case oneTime:
		var once api.OneTimeTokenResponse
		w.must("PUT", "/v1/acl/token/onetime", nil, &once)
		return once.OneTimeToken.OneTimeSecretID.Reveal()
	case ofTask:
		return w.identities["t"]
	case bareTask:
		return w.identities["u"]
	case ofNode:
		_, secret := w.agent.client.Identity()
		return secret.Reveal()
	}
	secret := w.makeToken(s, policies)
	if s.how == policyGone {
		w.must("DELETE", "/v1/acl/policy/"+policies[0], nil, nil)
	}
	if s.how == byBearer {
		return "Bearer " + secret
	}
	return secret
}

func (w *world) makeToken(s *shape, policies []string) string {
	ask := map[string]any{"Name": s.name, "Type": "client", "Policies": policies}
	var role api.ACLRole
	if s.how == byRole || s.how == roleGone {
		w.must("PUT", "/v1/acl/role", map[string]any{"Name": fmt.Sprint("role-", s.how), "Policies": []any{map[string]any{"Name": policies[0]}}}, &role)
		ask["Policies"], ask["Roles"] = nil, []any{map[string]any{"ID": role.ID}}
	}
	if s.management {
		ask["Type"], ask["Policies"] = "management", nil
	}
	if s.how == expired {
		ask["ExpirationTTL"] = "1ms"
	}
	var t api.ACLTokenSecret
	w.must("PUT", "/v1/acl/token", ask, &t)
	switch s.how {
	case deleted:
		w.must("DELETE", "/v1/acl/token/"+t.AccessorID, nil, nil)
	case roleGone:
		w.must("DELETE", "/v1/acl/role/"+role.ID, nil, nil)
	case byRole:
		w.role = role.ID
	}
	if !s.invalid {
		w.token = t.AccessorID
	}
	return t.SecretID.Reveal()
}

// state is all that requests could have changed.
func (w *world) state() string {
	var all bytes.Buffer
	for _, path := range []string{
		"/v1/jobs?namespace=*", "/v1/namespaces", "/v1/node/pools", "/v1/acl/policies", "/v1/acl/roles", "/v1/acl/tokens",
		"/v1/deployments?namespace=*", "/v1/evaluations?namespace=*", "/v1/operator/scheduler/configuration", "/v1/operator/raft/configuration",
		"/v1/client/metadata?node_id=" + w.node, "/v1/job/web/versions?namespace=ns1", "/v1/job/web/versions?namespace=ns2", "/v1/scaling/policies?namespace=*",
	} {
		status, body := w.do(kept, "GET", w.server+path, bootSecret, "")
		if status != 200 {
			w.t.Fatalf("%s: %d %s", path, status, body)
		}
		fmt.Fprintf(&all, "%s\n%s\n", path, body)
	}
	var node api.Node
	w.must("GET", "/v1/node/"+w.node, nil, &node)
	fmt.Fprintln(&all, node.SchedulingEligibility, node.DrainStrategy, len(node.Meta))
	return all.String()
}
