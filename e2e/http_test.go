package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"
)

// deadJobs registers n jobs that can never be placed.
func (a *agent) deadJobs(t *testing.T, n int) (prefix string, ids []string) {
	t.Helper()
	prefix = a.jobID(t)
	for i := range n {
		id := fmt.Sprintf("%s-%02d", prefix, i)
		t.Cleanup(func() { a.nomad.Jobs().Deregister(id, true, nil) })
		kind := "service"
		if i%2 == 1 {
			kind = "batch"
		}
		a.register(t, strings.Replace(oneGroup(id, kind, mockTask("t", `run_for = "1s"`)), "type =", "datacenters = [\"nowhere\"]\n meta {\n number = \""+strconv.Itoa(i)+"\"\n}\n type =", 1))
		ids = append(ids, id)
	}
	return prefix, ids
}

func TestListOptions(t *testing.T) {
	t.Parallel()
	a := shared(t)
	prefix, ids := a.deadJobs(t, 7)
	list := func(query string) ([]string, http.Header) {
		t.Helper()
		var jobs []nomad.JobListStub
		h := a.get(t, "/v1/jobs?prefix="+prefix+"-&"+query, &jobs)
		var out []string
		for _, j := range jobs {
			out = append(out, j.ID)
		}
		return out, h
	}
	got, h := list("")
	if !slices.Equal(got, ids) {
		t.Errorf("by prefix: %v", got)
	}
	if h.Get("X-Nomad-Index") == "" || h.Get("X-Nomad-KnownLeader") != "true" || h.Get("X-Nomad-LastContact") == "" || h.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", h)
	}
	reversed, _ := list("reverse=true")
	slices.Reverse(reversed)
	if !slices.Equal(reversed, ids) {
		t.Errorf("reverse, reversed: %v", reversed)
	}
	for _, reverse := range []string{"", "&reverse=true"} {
		var paged []string
		token, pages := "", 0
		for {
			got, h := list("per_page=3&next_token=" + token + reverse)
			paged = append(paged, got...)
			pages++
			if token = h.Get("X-Nomad-NextToken"); token == "" || pages > 10 {
				break
			}
		}
		if reverse != "" {
			slices.Reverse(paged)
		}
		if !slices.Equal(paged, ids) || pages != 3 {
			t.Errorf("in %d pages%s: %v", pages, reverse, paged)
		}
	}
	for filter, want := range map[string]int{
		`Type == "batch"`:                         3,
		`Type != batch and Priority == 50`:        4,
		`ID matches "-0[0-2]$"`:                   3,
		`Meta.number == "5"`:                      1,
		`Meta["number"] == "5"`:                   1,
		`"nowhere" in Datacenters`:                7,
		`Name contains "-06"`:                     1,
		`Status == "pending" or Status == "dead"`: 7,
		`not (Type == "batch")`:                   4,
		`TaskGroups is not empty`:                 7,
		`Priority == 90 or Type == "system"`:      0,
	} {
		r := a.do(t, "GET", "/v1/jobs?prefix="+prefix+"-&filter="+queryEscape(filter), nil)
		var jobs []nomad.JobListStub
		if r.status != 200 || json.Unmarshal(r.body, &jobs) != nil || len(jobs) != want {
			t.Errorf("filter %s: %d, %d jobs, want %d: %.300s", filter, r.status, len(jobs), want, r.body)
		}
	}
	for _, filter := range []string{`Type ==`, `NoSuchField == "x"`, `ID matches "("`} {
		if r := a.do(t, "GET", "/v1/jobs?filter="+queryEscape(filter), nil); r.status != 400 {
			t.Errorf("filter %s: %d %s", filter, r.status, r.body)
		}
	}
	r := a.do(t, "GET", "/v1/jobs?pretty&prefix="+prefix+"-00", nil)
	if !bytes.Contains(r.body, []byte("\n    ")) {
		t.Errorf("pretty is not indented: %.100s", r.body)
	}
	if r := a.do(t, "GET", "/v1/jobs?prefix=no-such-prefix", nil); strings.TrimSpace(string(r.body)) != "[]" {
		t.Errorf("a list of nothing is %q", r.body)
	}
	if r := a.do(t, "GET", "/v1/jobs?meta=true&prefix="+prefix+"-03", nil); !bytes.Contains(r.body, []byte(`"number":"3"`)) {
		t.Errorf("meta=true: %s", r.body)
	}
	if r := a.do(t, "GET", "/v1/jobs?per_page=x", nil); r.status != 400 {
		t.Errorf("per_page=x: %d %s", r.status, r.body)
	}
}

func queryEscape(s string) string {
	return strings.NewReplacer("%", "%25", " ", "%20", `"`, "%22", "&", "%26", "[", "%5B", "]", "%5D", "=", "%3D", "^", "%5E", "+", "%2B").Replace(s)
}

func TestBlockingQuery(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.waitEval(t, a.register(t, oneGroup(id, "service", "count = 0", shell("t", "exec sleep 600"))).EvalID, "complete")
	var job nomad.Job
	h := a.get(t, "/v1/job/"+id, &job)
	index := h.Get("X-Nomad-Index")
	// Nothing changes: it comes back after the wait, with the same index.
	began := time.Now()
	h = a.get(t, "/v1/job/"+id+"?wait=300ms&index="+index, &job)
	if took := time.Since(began); took < 280*time.Millisecond || took > 5*time.Second {
		t.Errorf("without a change the query took %s, want 0.3 s", took)
	}
	// A change wakes it.
	type answer struct {
		header http.Header
		took   time.Duration
	}
	done := make(chan answer, 1)
	go func() {
		began := time.Now()
		resp, err := http.Get(a.Address + "/v1/job/" + id + "?wait=20s&index=" + h.Get("X-Nomad-Index"))
		if err != nil {
			done <- answer{}
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		done <- answer{resp.Header, time.Since(began)}
	}()
	a.register(t, oneGroup(id, "service", "count = 0", shell("t", "exec sleep 601")))
	got := <-done
	if got.took > 10*time.Second || got.header.Get("X-Nomad-Index") == index {
		t.Errorf("after a change: %v", got)
	}
	if r := a.do(t, "GET", "/v1/jobs?wait=nonsense&index=1", nil); r.status != 400 {
		t.Errorf("a bad wait: %d %s", r.status, r.body)
	}
	if r := a.do(t, "GET", "/v1/jobs?index=nonsense", nil); r.status != 400 {
		t.Errorf("a bad index: %d %s", r.status, r.body)
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	a := shared(t)
	a.deadJobs(t, 3)
	req, _ := http.NewRequest("GET", a.Address+"/v1/jobs", nil)
	req.Header.Set("Accept-Encoding", "gzip")
	r := a.send(t, req)
	if r.header.Get("Content-Encoding") != "gzip" || r.header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("headers %v", r.header)
	}
	z, err := gzip.NewReader(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	var jobs []nomad.JobListStub
	if err := json.NewDecoder(z).Decode(&jobs); err != nil || len(jobs) < 3 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	ns := "team-" + id
	if r := a.do(t, "PUT", "/v1/namespace/"+ns, map[string]any{"Name": ns, "Description": "of a team", "Meta": map[string]string{"k": "v"}}); r.status != 200 {
		t.Fatalf("create: %d %s", r.status, r.body)
	}
	got, _, err := a.nomad.Namespaces().Info(ns, nil)
	if err != nil || got.Description != "of a team" || got.Meta["k"] != "v" {
		t.Errorf("read: %+v %v", got, err)
	}
	for _, n := range []string{"default", ns} {
		hcl := strings.Replace(oneGroup(id, "service", shell("t", "exec sleep 600", `kill_timeout = "100ms"`)), "type =", fmt.Sprintf("namespace = %q\n type =", n), 1)
		a.register(t, hcl)
	}
	t.Cleanup(func() { a.do(t, "DELETE", "/v1/namespace/"+ns, nil) })
	count := func(n string) int {
		var jobs []nomad.JobListStub
		a.get(t, "/v1/jobs?prefix="+id+"&namespace="+n, &jobs)
		return len(jobs)
	}
	if count("default") != 1 || count(ns) != 1 || count("*") != 2 {
		t.Errorf("jobs by namespace: default %d, own %d, all %d", count("default"), count(ns), count("*"))
	}
	if r := a.do(t, "DELETE", "/v1/namespace/"+ns, nil); r.status == 200 {
		t.Error("a namespace with a job was deleted")
	}
	if r := a.do(t, "DELETE", "/v1/namespace/default", nil); r.status == 200 {
		t.Error("the default namespace was deleted")
	}
	if r := a.do(t, "DELETE", "/v1/job/"+id+"?purge=true&namespace="+ns, nil); r.status != 200 {
		t.Fatalf("purge: %d %s", r.status, r.body)
	}
	eventually(t, "the empty namespace can be deleted", func() (bool, string) {
		r := a.do(t, "DELETE", "/v1/namespace/"+ns, nil)
		return r.status == 200, string(r.body)
	})
	if r := a.do(t, "GET", "/v1/namespace/"+ns, nil); r.status != 404 {
		t.Errorf("read of what was deleted: %d", r.status)
	}
}

func TestErrorAnswers(t *testing.T) {
	t.Parallel()
	a := shared(t)
	none := "00000000-0000-0000-0000-000000000000"
	for _, c := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/v1/job/no-such-job", 404, "job not found"},
		{"GET", "/v1/allocation/" + none, 404, "alloc not found"},
		{"GET", "/v1/evaluation/" + none, 404, "eval not found"},
		{"GET", "/v1/node/" + none, 404, "node not found"},
		{"GET", "/v1/deployment/" + none, 404, "deployment not found"},
		{"GET", "/v1/namespace/no-such", 404, "not found"},
		{"GET", "/v1/no-such-path", 404, ""},
		{"GET", "/elsewhere", 404, ""},
		{"POST", "/v1/agent/members", 405, "Invalid method"},
		{"DELETE", "/v1/jobs", 405, "Invalid method"},
		{"GET", "/v1/client/fs/ls/" + none, 404, ""},
		{"GET", "/v1/client/allocation/" + none + "/stats", 404, ""},
		{"PUT", "/v1/jobs", 400, ""},
	} {
		r := a.do(t, c.method, c.path, nil)
		if r.status != c.status || !strings.Contains(string(r.body), c.text) {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, r.status, r.body, c.status, c.text)
		}
		if r.status != 404 && !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s %s: Content-Type %q", c.method, c.path, r.header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"/v1/quotas", "/v1/sentinel/policies", "/v1/recommendations"} {
		if r := a.do(t, "GET", path, nil); r.status < 400 {
			t.Errorf("%s: %d, want an error", path, r.status)
		}
	}
}

func TestEventStream(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", a.Address+"/v1/event/stream?topic=Job:"+id+"&topic=Allocation:"+id+"&topic=Evaluation:"+id, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, read(t, resp.Body))
	}
	a.register(t, oneGroup(id, "batch", mockTask("t", `run_for = "50ms"`)))
	type event struct {
		Topic, Type, Key, Namespace string
		FilterKeys                  []string
		Index                       uint64
		Payload                     map[string]json.RawMessage
	}
	seen := map[string]bool{}
	var last uint64
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 4<<20)
	timer := time.AfterFunc(patience, func() { resp.Body.Close() })
	defer timer.Stop()
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "{}" || lines.Text() == "" {
			continue
		}
		var frame struct {
			Index  uint64
			Events []event
		}
		if err := json.Unmarshal(lines.Bytes(), &frame); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if frame.Index < last {
			t.Errorf("index %d after %d", frame.Index, last)
		}
		last = frame.Index
		complete := false
		for _, e := range frame.Events {
			seen[e.Topic+" "+e.Type] = true
			if e.Payload[e.Topic] == nil || e.Index != frame.Index || e.Namespace != "default" {
				t.Errorf("event %+v in the frame of index %d", e, frame.Index)
			}
			if e.Topic == "Job" && e.Key != id || e.Topic != "Job" && !slices.Contains(e.FilterKeys, id) {
				t.Errorf("an event of something else: %+v", e)
			}
			var alloc nomad.Allocation
			if e.Topic == "Allocation" && json.Unmarshal(e.Payload["Allocation"], &alloc) == nil && alloc.ClientStatus == "complete" {
				complete = true
			}
		}
		if complete {
			break
		}
	}
	for _, want := range []string{"Job JobRegistered", "Evaluation EvaluationUpdated", "Allocation AllocationUpdated"} {
		if !seen[want] {
			t.Errorf("no event %s among %v (scanner: %v)", want, seen, lines.Err())
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	a := shared(t)
	prefix, ids := a.deadJobs(t, 3)
	var out nomad.SearchResponse
	r := a.do(t, "PUT", "/v1/search", map[string]string{"Prefix": prefix, "Context": "jobs"})
	if err := json.Unmarshal(r.body, &out); err != nil || len(out.Matches["jobs"]) != len(ids) || out.Truncations["jobs"] {
		t.Errorf("search: %d %s", r.status, r.body)
	}
	var nodes []nomad.NodeListStub
	a.get(t, "/v1/nodes", &nodes)
	r = a.do(t, "POST", "/v1/search", map[string]string{"Prefix": nodes[0].ID[:5], "Context": "all"})
	if err := json.Unmarshal(r.body, &out); err != nil || !slices.Contains(out.Matches["nodes"], nodes[0].ID) {
		t.Errorf("search of all: %d %s", r.status, r.body)
	}
	var fuzzy nomad.FuzzySearchResponse
	r = a.do(t, "PUT", "/v1/search/fuzzy", map[string]string{"Text": prefix[1:], "Context": "jobs"})
	if err := json.Unmarshal(r.body, &fuzzy); err != nil || len(fuzzy.Matches["jobs"]) != len(ids) {
		t.Fatalf("fuzzy search: %d %s", r.status, r.body)
	}
	if m := fuzzy.Matches["jobs"][0]; !strings.Contains(m.ID, prefix) || !slices.Equal(m.Scope, []string{"default", m.ID}) && !slices.Equal(m.Scope, []string{"default"}) {
		t.Errorf("match %+v", m)
	}
	if r := a.do(t, "PUT", "/v1/search", map[string]string{"Prefix": "x", "Context": "nonsense"}); r.status < 400 {
		t.Errorf("an unknown context: %d %s", r.status, r.body)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", mockTask("t", `run_for = "10ms"`)))
	a.waitOne(t, id, "complete")
	var all struct {
		Timestamp string
		Gauges    []struct{ Name string }
		Counters  []struct{ Name string }
		Samples   []struct{ Name string }
	}
	eventually(t, "the metrics are there", func() (bool, string) {
		a.get(t, "/v1/metrics", &all)
		names := map[string]bool{}
		for _, list := range [][]struct{ Name string }{all.Gauges, all.Counters, all.Samples} {
			for _, m := range list {
				names[m.Name] = true
			}
		}
		var missing []string
		for _, want := range []string{"nomad.client.allocations.running", "nomad.client.host.memory.available", "nomad.client.uptime", "nomad.nomad.broker.total_ready",
			"nomad.nomad.blocked_evals.total_blocked", "nomad.runtime.num_goroutines", "nomad.nomad.job_summary.complete"} {
			if !names[want] {
				missing = append(missing, want)
			}
		}
		return len(missing) == 0, fmt.Sprintf("missing %v of %v", missing, names)
	})
	r := a.do(t, "GET", "/v1/metrics?format=prometheus", nil)
	text := string(r.body)
	if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
		t.Errorf("prometheus: %d %v", r.status, r.header)
	}
	for _, want := range []string{"# TYPE nomad_client_uptime gauge", "nomad_client_host_memory_available", "nomad_nomad_broker_total_ready"} {
		if !strings.Contains(text, want) {
			t.Errorf("prometheus text lacks %s", want)
		}
	}
	if r := a.do(t, "GET", "/v1/metrics?format=nonsense", nil); r.status < 400 {
		t.Errorf("an unknown format: %d", r.status)
	}
}

func TestHostAndOriginChecks(t *testing.T) {
	t.Parallel()
	a := shared(t)
	try := func(method, path, host string, header map[string]string) int {
		t.Helper()
		req, _ := http.NewRequest(method, a.Address+path, strings.NewReader("{}"))
		if host != "" {
			req.Host = host
		}
		for k, v := range header {
			req.Header.Set(k, v)
		}
		return a.send(t, req).status
	}
	for host, ok := range map[string]bool{"localhost": true, "127.0.0.1:1": true, "[::1]:4646": true, "evil.example": false, "127.0.0.1.evil.example": false, "192.168.1.1": false} {
		if status := try("GET", "/v1/jobs", host, nil); (status == 200) != ok {
			t.Errorf("Host %s: %d", host, status)
		}
	}
	if status := try("PUT", "/v1/system/reconcile/summaries", "", map[string]string{"Origin": "http://evil.example"}); status != 403 {
		t.Errorf("a write with a foreign Origin: %d", status)
	}
	if status := try("PUT", "/v1/system/reconcile/summaries", "", map[string]string{"Origin": "null"}); status != 403 {
		t.Errorf("a write with Origin null: %d", status)
	}
	if status := try("PUT", "/v1/system/reconcile/summaries", "", map[string]string{"Sec-Fetch-Site": "cross-site"}); status != 403 {
		t.Errorf("a write across sites: %d", status)
	}
	if status := try("PUT", "/v1/system/reconcile/summaries", "", map[string]string{"Origin": a.Address}); status != 200 {
		t.Errorf("a write with the own Origin: %d", status)
	}
	if status := try("GET", "/v1/client/gc", "", map[string]string{"Origin": "http://evil.example"}); status != 403 {
		t.Errorf("a GET with effects and a foreign Origin: %d", status)
	}
	for _, path := range []string{"/v1/client/allocation/x/exec?task=t&command=%5B%22id%22%5D"} {
		status := try("GET", path, "", map[string]string{"Origin": "http://evil.example", "Connection": "Upgrade", "Upgrade": "websocket",
			"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="})
		if status != 403 {
			t.Errorf("%s from a foreign page: %d", path, status)
		}
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel()
	a := shared(t)
	host := strings.TrimPrefix(a.Address, "http://")
	var conns []net.Conn
	for range 50 {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
		conns = append(conns, c)
	}
	began := time.Now()
	if r := a.do(t, "GET", "/v1/jobs", nil); r.status != 200 || time.Since(began) > 5*time.Second {
		t.Errorf("beside slow ones: %d after %s", r.status, time.Since(began))
	}
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatalf("a connection without a whole header is open after %s: %v", time.Since(began), err)
		}
	}
}

func TestStatusEndpoints(t *testing.T) {
	t.Parallel()
	a := shared(t)
	var leader string
	a.get(t, "/v1/status/leader", &leader)
	if _, _, err := net.SplitHostPort(leader); err != nil {
		t.Errorf("leader %q: %v", leader, err)
	}
	var peers []string
	a.get(t, "/v1/status/peers", &peers)
	if !slices.Contains(peers, leader) {
		t.Errorf("peers %v lack the leader %s", peers, leader)
	}
	var regions []string
	a.get(t, "/v1/regions", &regions)
	if !slices.Equal(regions, []string{"global"}) {
		t.Errorf("regions %v", regions)
	}
	var health map[string]struct{ Ok bool }
	a.get(t, "/v1/agent/health", &health)
	if !health["server"].Ok || !health["client"].Ok {
		t.Errorf("health %v", health)
	}
	var self struct {
		Config map[string]any
		Stats  map[string]map[string]string
	}
	a.get(t, "/v1/agent/self", &self)
	if self.Config["Region"] != "global" || len(self.Stats) == 0 {
		t.Errorf("self: region %v, %d stats", self.Config["Region"], len(self.Stats))
	}
	var none []any
	if a.get(t, "/v1/deployments?prefix=00000000-0000-0000-0000-000000000000", &none); none == nil || len(none) != 0 {
		t.Errorf("deployments: %v; want an empty list", none)
	}
	if r := a.do(t, "PUT", "/v1/jobs/parse", map[string]any{"JobHCL": `job "x" { group "g" { task "t" { driver = "raw_exec" } } }`, "Canonicalize": true}); r.status != 400 && r.status != 200 {
		t.Errorf("parse: %d %s", r.status, r.body)
	}
	if r := a.do(t, "PUT", "/v1/jobs/parse", map[string]any{"JobHCL": `job "x" { datacenters = [file("/etc/hostname")] }`}); r.status != 400 {
		t.Errorf("a file function over HTTP: %d %s", r.status, r.body)
	}
}
