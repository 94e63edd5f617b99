package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/api"
)

// protected is a server with access control and its management token.
func protected(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, secrets: map[string]string{}, things: map[string]things{}}
	cfg := dev(t, "acl {\n enabled = true\n token_min_expiration_ttl = \"1ms\"\n}\nlog_level = \"TRACE\"\n")
	cfg.Client.Enabled = false
	w.server, _ = run(t, cfg, nil)
	if status, body := w.do(kept, "PUT", w.server+"/v1/acl/bootstrap", "", `{"BootstrapSecret":"`+bootSecret+`"}`); status != 200 {
		t.Fatalf("bootstrap: %d %s", status, body)
	}
	return w
}

func (w *world) nomad(secret string) *nomad.Client {
	w.t.Helper()
	c, err := nomad.NewClient(&nomad.Config{Address: w.server, SecretID: secret, HttpClient: &http.Client{Transport: &http.Transport{}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func ok[T any](t *testing.T) func(v T, _ any, err error) T {
	return func(v T, _ any, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused says that an error is a refusal, as Nomad's client tells it.
func refusedTo(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "403") || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want a refusal with %q", err, text)
	}
}

// TestTokenObjects walks the objects of access control with Nomad's own client.
func TestTokenObjects(t *testing.T) {
	w := protected(t)
	boss := w.nomad(bootSecret)
	policies, tokens, roles := boss.ACLPolicies(), boss.ACLTokens(), boss.ACLRoles()

	if _, _, err := w.nomad("").ACLTokens().Bootstrap(nil); err == nil || !strings.Contains(err.Error(), "ACL bootstrap already done (reset index: ") {
		t.Errorf("a second bootstrap: %v", err)
	}
	rules := `namespace "default" { policy = "read" }`
	if _, err := policies.Upsert(&nomad.ACLPolicy{Name: "read", Description: "reads", Rules: rules}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := policies.Upsert(&nomad.ACLPolicy{Name: "bad", Rules: "namespace { }"}, nil); err == nil || !strings.Contains(err.Error(), "policy:1,1") {
		t.Errorf("a bad policy: %v", err)
	}
	if p := ok[*nomad.ACLPolicy](t)(policies.Info("read", nil)); p.Rules != rules || p.Description != "reads" || p.CreateIndex == 0 {
		t.Errorf("%+v", p)
	}
	if list := ok[[]*nomad.ACLPolicyListStub](t)(policies.List(nil)); len(list) != 1 || list[0].Name != "read" {
		t.Errorf("%+v", list)
	}
	role := ok[*nomad.ACLRole](t)(roles.Create(&nomad.ACLRole{Name: "reader", Policies: []*nomad.ACLRolePolicyLink{{Name: "read"}}}, nil))
	if _, _, err := roles.Create(&nomad.ACLRole{Name: "reader", Policies: role.Policies}, nil); err == nil {
		t.Error("two roles have a name")
	}
	if _, _, err := roles.Create(&nomad.ACLRole{Name: "other", Policies: []*nomad.ACLRolePolicyLink{{Name: "absent"}}}, nil); err == nil {
		t.Error("a role has a policy that does not exist")
	}
	role.Description = "changed"
	if r := ok[*nomad.ACLRole](t)(roles.Update(role, nil)); r.Description != "changed" || r.ID != role.ID {
		t.Errorf("%+v", r)
	}
	if r := ok[*nomad.ACLRole](t)(roles.GetByName("reader", nil)); r.ID != role.ID {
		t.Errorf("%+v", r)
	}

	mine := ok[*nomad.ACLToken](t)(tokens.Create(&nomad.ACLToken{Name: "mine", Type: "client", Roles: []*nomad.ACLTokenRoleLink{{Name: "reader"}}, ExpirationTTL: time.Hour}, nil))
	if mine.ExpirationTime == nil || mine.SecretID == "" || len(mine.Roles) != 1 || mine.Roles[0].ID != role.ID || mine.ExpirationTTL != time.Hour {
		t.Errorf("%+v", mine)
	}
	for what, wrong := range map[string]*nomad.ACLToken{
		"missing policies":  {Type: "client"},
		"cannot be assoc":   {Type: "management", Policies: []string{"read"}},
		"client or manage":  {Type: "other", Policies: []string{"read"}},
		"cannot find role":  {Type: "client", Roles: []*nomad.ACLTokenRoleLink{{Name: "absent"}}},
		"cannot be more":    {Type: "client", Policies: []string{"read"}, ExpirationTTL: 1000 * time.Hour},
		"not both":          {Type: "client", Policies: []string{"read"}, ExpirationTTL: time.Hour, ExpirationTime: mine.ExpirationTime},
		"1 to 128 letters,": {Type: "client", Policies: []string{"a b"}},
	} {
		if _, _, err := tokens.Create(wrong, nil); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "400") {
			t.Errorf("%s: %v", what, err)
		}
	}
	me := w.nomad(mine.SecretID)
	if self := ok[*nomad.ACLToken](t)(me.ACLTokens().Self(nil)); self.AccessorID != mine.AccessorID || self.SecretID != mine.SecretID {
		t.Errorf("%+v", self)
	}
	if self := ok[*nomad.ACLToken](t)(me.ACLTokens().Info(mine.AccessorID, nil)); self.Name != "mine" {
		t.Errorf("%+v", self)
	}
	if _, _, err := me.Jobs().List(nil); err != nil {
		t.Errorf("a role is worth nothing: %v", err)
	}
	list := ok[[]*nomad.ACLTokenListStub](t)(tokens.List(nil))
	boot := list[0]
	if boot.AccessorID == mine.AccessorID {
		boot = list[1]
	}
	_, _, err := me.ACLTokens().Info(boot.AccessorID, nil)
	refusedTo(t, err, "Permission denied")
	_, _, err = me.ACLTokens().List(nil)
	refusedTo(t, err, "Permission denied: needs a management token")
	_, _, err = me.Jobs().Register(&nomad.Job{ID: new(string)}, nil)
	refusedTo(t, err, "Permission denied: needs `submit-job` or `register-job` in namespace `default`")

	// What the role loses, the token loses at once.
	if _, err := policies.Upsert(&nomad.ACLPolicy{Name: "read", Rules: `node { policy = "read" }`}, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err = me.Jobs().List(nil)
	refusedTo(t, err, "needs `list-jobs`")
	if _, _, err := me.Nodes().List(nil); err != nil {
		t.Errorf("the new rules are worth nothing: %v", err)
	}

	up := &nomad.ACLToken{AccessorID: "5b7fd453-d3f7-4814-81dc-fcfe6daedea5", SecretID: "9184ec35-65d4-4258-81e3-0c066d0a45c5", Type: "client", Policies: []string{"read"}}
	if got := ok[*nomad.ACLToken](t)(tokens.Upload(up, nil)); got.AccessorID != up.AccessorID || got.SecretID != up.SecretID {
		t.Errorf("%+v", got)
	}
	up.Name = "renamed"
	if got := ok[*nomad.ACLToken](t)(tokens.Update(up, nil)); got.Name != "renamed" || got.SecretID != up.SecretID {
		t.Errorf("%+v", got)
	}
	if _, err := tokens.Delete(up.AccessorID, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.nomad(up.SecretID).Nodes().List(nil)
	refusedTo(t, err, "ACL token not found")

	once := ok[*nomad.OneTimeToken](t)(me.ACLTokens().UpsertOneTimeToken(nil))
	if got := ok[*nomad.ACLToken](t)(w.nomad("").ACLTokens().ExchangeOneTimeToken(once.OneTimeSecretID, nil)); got.SecretID != mine.SecretID {
		t.Errorf("%+v", got)
	}
	_, _, err = w.nomad("").ACLTokens().ExchangeOneTimeToken(once.OneTimeSecretID, nil)
	refusedTo(t, err, "Permission denied: the one-time token")

	if _, err := roles.Delete(role.ID, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err = me.Nodes().List(nil)
	refusedTo(t, err, "needs `node:read`")
	if _, err := policies.Delete("read", nil); err != nil {
		t.Fatal(err)
	}
}

// TestTokenEndsStream follows events with tokens that end in different ways: the
// stream says so and ends, and shows nothing of another namespace before.
func TestTokenEndsStream(t *testing.T) {
	w := protected(t)
	for _, ns := range []string{"ns1", "ns2"} {
		w.must("PUT", "/v1/namespace", map[string]any{"Name": ns}, nil)
	}
	ends := map[string]func(token *api.ACLToken){
		"expires":    func(*api.ACLToken) {},
		"is deleted": func(x *api.ACLToken) { w.must("DELETE", "/v1/acl/token/"+x.AccessorID, nil, nil) },
		"loses its policy": func(x *api.ACLToken) {
			w.must("PUT", "/v1/acl/policy/"+x.Policies[0], map[string]any{"Rules": `agent { policy = "read" }`}, nil)
		},
	}
	for how, end := range ends {
		policy := strings.ReplaceAll(how, " ", "-")
		w.must("PUT", "/v1/acl/policy/"+policy, map[string]any{"Rules": `namespace "ns1" { policy = "read" }`}, nil)
		ask := map[string]any{"Type": "client", "Policies": []string{policy}}
		if how == "expires" {
			ask["ExpirationTTL"] = "3s"
		}
		var token api.ACLTokenSecret
		w.must("PUT", "/v1/acl/token", ask, &token)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		req, _ := http.NewRequestWithContext(ctx, "GET", w.server+"/v1/event/stream?namespace=*", nil)
		req.Header.Set("X-Nomad-Token", token.SecretID.Reveal())
		resp, err := kept.Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		for _, ns := range []string{"ns2", "ns1"} {
			j := job(ns)
			j["ID"], j["Datacenters"] = policy, []string{"nowhere"}
			w.must("PUT", "/v1/jobs?namespace="+ns, map[string]any{"Job": j}, nil)
		}
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		seen, ended := false, ""
		for lines.Scan() {
			line := lines.Text()
			if strings.Contains(line, "ns2") {
				t.Errorf("%s: sees %s", how, line)
			}
			var told struct{ Error string }
			if json.Unmarshal([]byte(line), &told) == nil && told.Error != "" {
				ended = told.Error
			}
			if !seen && strings.Contains(line, mark("ns1")) {
				seen = true
				end(token.ACLToken)
			}
		}
		if !seen || ended == "" || ctx.Err() != nil {
			t.Errorf("a token that %s: seen %v, ended %q, %v", how, seen, ended, ctx.Err())
		}
		resp.Body.Close()
		cancel()
	}
}

// TestTokenBlocking: a query that waits is refused when the token is gone by the
// time that there is something to say.
func TestTokenBlocking(t *testing.T) {
	w := protected(t)
	w.must("PUT", "/v1/acl/policy/p", map[string]any{"Rules": `namespace "default" { policy = "read" }`}, nil)
	var token api.ACLTokenSecret
	w.must("PUT", "/v1/acl/token", map[string]any{"Type": "client", "Policies": []string{"p"}}, &token)
	done := make(chan string, 1)
	go func() {
		status, body := w.do(kept, "GET", w.server+"/v1/jobs?index=1&wait=20s", token.SecretID.Reveal(), "")
		done <- http.StatusText(status) + " " + body
	}()
	// Nothing tells when the query waits; were it late, it would be refused at once.
	w.must("DELETE", "/v1/acl/token/"+token.AccessorID, nil, nil)
	j := job("default")
	j["Datacenters"] = []string{"nowhere"}
	w.must("PUT", "/v1/jobs", map[string]any{"Job": j}, nil)
	if got := <-done; !strings.HasPrefix(got, "Forbidden ACL token not found") {
		t.Errorf("%s", got)
	}
}

// TestHeaders sends what is no token in every way that headers allow.
func TestHeaders(t *testing.T) {
	w := protected(t)
	for _, h := range []http.Header{
		{}, {"X-Nomad-Token": {""}}, {"Authorization": {"Bearer"}}, {"Authorization": {"Bearer "}}, {"Authorization": {"Bearer x y"}},
		{"Authorization": {"Basic !!!"}}, {"Authorization": {"Basic " + bootSecret}}, {"Authorization": {bootSecret}}, {"Authorization": {"bearer \u00e4\u00f6"}},
		{"X-Nomad-Token": {strings.Repeat("a", 40<<10)}}, {"X-Nomad-Token": {bootSecret + "x"}}, {"X-Nomad-Token": {strings.ToUpper(bootSecret)}},
		{"X-Nomad-Token": {"\u202e" + bootSecret}}, {"X-Nomad-Token": {bootSecret[:35]}}, {"X-Nomad-Token": {"wrong", bootSecret}},
		{"X-Nomad-Token": {"migrate::"}}, {"X-Nomad-Token": {"*"}}, {"X-Nomad-Token": {"anonymous"}}, {"X-Nomad-Token": {"<redacted>"}},
	} {
		for _, path := range []string{"/v1/jobs", "/v1/agent/self", "/v1/acl/tokens", "/debug/pprof/heap", "/v1/agent/pprof/cmdline", "/v1/operator/snapshot"} {
			req, _ := http.NewRequest("GET", w.server+path, nil)
			req.Header = h
			from := caller()
			resp, err := from.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			from.CloseIdleConnections()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%.80v: %s: %d", h, path, resp.StatusCode)
			}
		}
	}
	huge, _ := http.NewRequest("GET", w.server+"/v1/jobs", nil)
	huge.Header.Set("X-Nomad-Token", strings.Repeat("a", 1<<20))
	if resp, err := kept.Do(huge); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a token of 1 MiB: %d", resp.StatusCode)
		}
	}
	for _, h := range []http.Header{{"X-Nomad-Token": {bootSecret}}, {"Authorization": {"Bearer " + bootSecret}}, {"Authorization": {"bearer  " + bootSecret + " "}}} {
		req, _ := http.NewRequest("GET", w.server+"/v1/jobs", nil)
		req.Header = h
		resp, err := kept.Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%v: %v %v", h, resp, err)
		}
		resp.Body.Close()
	}
}

// TestSecretsStayHidden plants secrets and looks for them in all that people see.
func TestSecretsStayHidden(t *testing.T) {
	w := protected(t)
	w.must("PUT", "/v1/acl/policy/p", map[string]any{"Rules": `namespace "default" { policy = "read" }`}, nil)
	var token api.ACLTokenSecret
	w.must("PUT", "/v1/acl/token", map[string]any{"Type": "client", "Policies": []string{"p"}}, &token)
	var once api.OneTimeTokenResponse
	w.must("PUT", "/v1/acl/token/onetime", nil, &once)
	secrets := []string{bootSecret, token.SecretID.Reveal(), once.OneTimeToken.OneTimeSecretID.Reveal()}

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	logs := make(chan string, 1)
	go func() {
		req, _ := http.NewRequestWithContext(ctx, "GET", w.server+"/v1/agent/monitor?log_level=trace&plain=true", nil)
		req.Header.Set("X-Nomad-Token", bootSecret)
		resp, err := kept.Do(req)
		if err != nil {
			logs <- ""
			return
		}
		defer resp.Body.Close()
		var all strings.Builder
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			all.WriteString(s.Text() + "\n")
		}
		logs <- all.String()
	}()
	for _, op := range api.Endpoints {
		if op.Method != "GET" || strings.Contains(op.Path, "{") || op == api.ACLTokenSelf.Endpoint || op == api.AgentMonitor.Endpoint || op == api.EventStream.Endpoint || op == api.SnapshotSave.Endpoint {
			continue // a token may see its own secret; a snapshot is for operators, and for nobody else
		}
		for _, s := range secrets[:2] {
			_, body := w.do(kept, "GET", w.server+op.Path+"?namespace=*&filter=&pretty", s, "")
			scan(t, op.Name, body, secrets)
		}
	}
	_, body := w.do(kept, "GET", w.server+"/v1/jobs?filter=SecretID+%3D%3D+1", token.SecretID.Reveal(), "")
	scan(t, "a wrong filter", body, secrets)
	req, _ := http.NewRequestWithContext(ctx, "GET", w.server+"/v1/event/stream?topic=*&index=1", nil)
	req.Header.Set("X-Nomad-Token", bootSecret)
	resp, err := kept.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := ""
	for s := bufio.NewScanner(resp.Body); s.Scan() && !strings.Contains(events, token.AccessorID); {
		events += s.Text()
	}
	if !strings.Contains(events, "ACLTokenUpserted") || !strings.Contains(events, "ACLPolicyUpserted") {
		t.Errorf("no events of access control: %s", events)
	}
	scan(t, "events", events, secrets)
	text := <-logs
	if !strings.Contains(text, "/v1/") {
		t.Log("the log says nothing of requests")
	}
	scan(t, "the log", text, secrets)
}

func scan(t *testing.T, where, text string, secrets []string) {
	t.Helper()
	for i, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s shows secret %d", where, i)
		}
	}
}

// TestNamespaceConfusion asks for one namespace and names another in the body.
func TestNamespaceConfusion(t *testing.T) {
	w := protected(t)
	for _, ns := range []string{"ns1", "ns2"} {
		w.must("PUT", "/v1/namespace", map[string]any{"Name": ns}, nil)
	}
	w.must("PUT", "/v1/acl/policy/p", map[string]any{"Rules": "namespace \"ns1\" { policy = \"write\" }\nnamespace \"default\" { policy = \"write\" }"}, nil)
	var token api.ACLTokenSecret
	w.must("PUT", "/v1/acl/token", map[string]any{"Type": "client", "Policies": []string{"p"}}, &token)
	tried := 0
	for _, op := range api.Endpoints {
		if op.Namespace != api.NamespaceQuery || !op.HasBody() || op.RawBody() {
			continue
		}
		tried++
		path := strings.NewReplacer("{id}", "web", "{tag}", "t").Replace(op.Path)
		j := job("ns2")
		body, _ := json.Marshal(map[string]any{
			"Job": j, "Jobs": []any{j}, "Namespace": "ns2", "JobHCL": "job \"x\" {\n namespace = \"ns2\"\n}", "Context": "all", "Text": "web",
			"Target": map[string]string{"Namespace": "ns2", "Job": "web", "Group": "g"}, "Count": 2, "Meta": map[string]string{},
		})
		for _, asked := range []string{"ns1", "default", ""} {
			status, answer := w.do(kept, op.Method, w.server+path+"?namespace="+asked, token.SecretID.Reveal(), string(body))
			if op.Kind == api.Write && status == 200 {
				t.Errorf("%s with namespace %q and ns2 in the body: %d %s", op.Name, asked, status, answer)
			}
			if strings.Contains(answer, mark("ns2")) && op != api.JobsParse.Endpoint {
				t.Errorf("%s shows %s", op.Name, answer)
			}
		}
	}
	var jobs []*api.JobListStub
	if w.must("GET", "/v1/jobs?namespace=*", nil, &jobs); len(jobs) != 0 || tried < 8 {
		t.Errorf("%d jobs after %d operations", len(jobs), tried)
	}
}
