package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

func TestBrokenHCL(t *testing.T) {
	t.Parallel()
	a := shared(t)
	for name, c := range map[string]struct {
		hcl  string
		want []string
	}{
		"syntax": {"job \"x\" {\n  type = \n}", []string{"job.nomad.hcl:2"}},
		"unknown block": {"job \"x\" {\n  gruop \"g\" {}\n  group \"g\" {\n    task \"t\" {\n      driver = \"raw_exec\"\n    }\n  }\n}",
			[]string{"job.nomad.hcl:2", "gruop", "group"}},
		"unknown attributes": {"job \"x\" {\n  prioritty = 3\n  group \"g\" {\n    cuont = 1\n    task \"t\" {\n      drivr = \"raw_exec\"\n    }\n  }\n}",
			[]string{"job.nomad.hcl:2", "prioritty", "priority", "job.nomad.hcl:4", "cuont", "count", "job.nomad.hcl:6", "drivr", "driver"}},
		"wrong types": {"job \"x\" {\n  priority = \"high\"\n  group \"g\" {\n    count = [1]\n    task \"t\" {\n      driver = \"raw_exec\"\n      kill_timeout = \"soon\"\n    }\n  }\n}",
			[]string{"job.nomad.hcl:2", "job.nomad.hcl:4", "job.nomad.hcl:7", "soon"}},
		"one-line blocks": {"job \"x\" { group \"g\" { task \"t\" { driver = \"raw_exec\" } } }", []string{"job.nomad.hcl:1"}},
		"no group":        {"job \"x\" {\n}", []string{"group"}},
		"bad constraint": {"job \"x\" {\n  constraint {\n    attribute = \"${attr.x}\"\n    operator = \"like\"\n    value = \"y\"\n  }\n  group \"g\" {\n    task \"t\" {\n      driver = \"raw_exec\"\n      config {\n        command = \"/bin/true\"\n      }\n    }\n  }\n}",
			[]string{"like"}},
		"duplicate groups": {"job \"x\" {\n  group \"g\" {\n    task \"t\" {\n      driver = \"raw_exec\"\n    }\n  }\n  group \"g\" {\n    task \"t\" {\n      driver = \"raw_exec\"\n    }\n  }\n}", []string{"g"}},
		"JSON":             {"{\"job\": {\"x\": {\"type\": 3,}}}", []string{":1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := a.cli(t, "job", "validate", jobFile(t, c.hcl))
			if r.code != 1 {
				t.Errorf("%v; want exit code 1", r)
			}
			for _, want := range c.want {
				if !strings.Contains(r.all(), want) {
					t.Errorf("%q is not told: %s", want, r.all())
				}
			}
			if strings.Contains(r.all(), "panic") {
				t.Errorf("%v", r)
			}
		})
	}
}

func TestBadNames(t *testing.T) {
	t.Parallel()
	a := shared(t)
	job := func(id, group, task string) map[string]any {
		return map[string]any{"Job": map[string]any{"ID": id, "Name": id, "Type": "batch", "Datacenters": []string{"*"},
			"TaskGroups": []any{map[string]any{"Name": group, "Count": 1, "Tasks": []any{map[string]any{"Name": task, "Driver": "raw_exec",
				"Config": map[string]any{"command": "/bin/true"}}}}}}}
	}
	long := strings.Repeat("x", 300)
	for name, body := range map[string]map[string]any{
		"job with a space":    job("a b", "g", "t"),
		"job with NUL":        job("a\x00b", "g", "t"),
		"empty job":           job("", "g", "t"),
		"group with NUL":      job("bad", "g\x00", "t"),
		"group with a slash":  job("bad", "../../g", "t"),
		"empty group":         job("bad", "", "t"),
		"task with a slash":   job("bad", "g", "a/b"),
		"task going up":       job("bad", "g", ".."),
		"task going up more":  job("bad", "g", "../../etc"),
		"task with NUL":       job("bad", "g", "t\x00"),
		"task named alloc":    job("bad", "g", "alloc"),
		"task of 300 bytes":   job("bad", "g", long),
		"group of 300 bytes":  job("bad", long, "t"),
		"job of 300 bytes":    job(long, "g", "t"),
		"no name of the task": job("bad", "g", ""),
	} {
		r := a.do(t, "PUT", "/v1/jobs", body)
		if r.status != 400 && r.status != 500 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		if r.status == 500 {
			t.Logf("%s: status 500: %s", name, r.body)
		}
	}
	// A slash in a job's ID is allowed, and the job is reached by it.
	id := a.jobID(t) + "/part"
	if r := a.do(t, "PUT", "/v1/jobs", job(id, "g", "t")); r.status != 200 {
		t.Fatalf("a job with a slash: %d %s", r.status, r.body)
	}
	t.Cleanup(func() { a.nomad.Jobs().Deregister(id, true, nil) })
	if info, _, err := a.nomad.Jobs().Info(id, nil); err != nil || *info.ID != id {
		t.Errorf("read of %s: %v", id, err)
	}
}

func TestUnknownPlaces(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	base := oneGroup(id, "batch", shell("t", "true"))
	with := func(line string) string { return strings.Replace(base, "type =", line+"\n type =", 1) }
	for name, c := range map[string]struct{ hcl, want string }{
		"namespace": {with(`namespace = "no-such-ns"`), "no-such-ns"},
		"region":    {with(`region = "no-such-region"`), "no-such-region"},
		"pool":      {with(`node_pool = "no-such-pool"`), "no-such-pool"},
	} {
		r := a.cli(t, "job", "run", "-detach", jobFile(t, c.hcl))
		if r.code != 1 || !strings.Contains(r.all(), c.want) {
			t.Errorf("an unknown %s: %v", name, r)
		}
	}
	// An unknown driver is not an error of the job: a node that has it may come.
	r := a.cli(t, "job", "run", jobFile(t, strings.ReplaceAll(base, "raw_exec", "no_such_driver")))
	if r.code != 2 && r.code != 1 || !strings.Contains(r.all(), "driver") {
		t.Errorf("an unknown driver: %v", r)
	}
	if r := a.do(t, "GET", "/v1/jobs?region=elsewhere", nil); r.status < 400 {
		t.Errorf("a query to an unknown region: %d", r.status)
	}
}

func TestConfigOfTaskIsChecked(t *testing.T) {
	t.Parallel()
	a := shared(t)
	for name, c := range map[string]struct{ config, want string }{
		"unknown key": {"comand = \"/bin/true\"", "comand"},
		"wrong type":  {"command = \"/bin/true\"\nargs = \"no list\"", "args"},
		"missing":     {"args = [\"x\"]", "command"},
	} {
		id := a.jobID(t)
		hcl := oneGroup(id, "batch", noRestart, "task \"t\" {\n driver = \"raw_exec\"\n config {\n"+c.config+"\n}\n}")
		r := a.cli(t, "job", "run", jobFile(t, hcl))
		if r.code == 0 {
			// It may also be told by the client that got the task.
			s := a.waitOne(t, id, "failed")
			if text := (stubs{s}).String(); !strings.Contains(text, c.want) {
				t.Errorf("%s: no event names %q: %s", name, c.want, text)
			}
			continue
		}
		if !strings.Contains(r.all(), c.want) {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func TestTooLargeBody(t *testing.T) {
	t.Parallel()
	a := shared(t)
	// Announced: refused before a byte of it is sent.
	c, err := net.Dial("tcp", strings.TrimPrefix(a.Address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "PUT /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", 200<<20)
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	if err != nil || !strings.Contains(string(buf[:n]), " 413 ") {
		t.Errorf("a body of 200 MiB, announced: %q %v, want 413", buf[:n], err)
	}
	// Not announced: cut off at the limit.
	before := rss(t, a.PID())
	req, _ := http.NewRequest("PUT", a.Address+"/v1/jobs/parse", &endless{left: 64 << 20})
	req.ContentLength = -1
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("a body of 64 MiB in chunks: %s, want 413", resp.Status)
		}
	}
	if grown := rss(t, a.PID()) - before; grown > 300<<20 {
		t.Errorf("the agent grew by %d MiB", grown>>20)
	}
	// A job file over job_max_source_size.
	big := oneGroup(a.jobID(t), "batch", shell("t", "true")) + "# " + strings.Repeat("x", 2<<20)
	if r := a.cli(t, "job", "run", "-detach", jobFile(t, big)); r.code != 1 {
		t.Logf("a job file of 2 MiB: %v", r) // the source may also be left out of the submission
	}
}

// endless is a body of JSON whitespace.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, fmt.Errorf("all was read")
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= n
	return n, nil
}

// rss gives the resident memory of a process in bytes.
func rss(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	fmt.Sscan(string(text), &size, &resident)
	return resident * os.Getpagesize()
}

func TestBombs(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{NoClient: true})
	deep := func(open, close string, n int) string {
		return strings.Repeat(open, n) + "1" + strings.Repeat(close, n)
	}
	hcl := func(expr string) string {
		return "locals {\n x = " + expr + "\n}\njob \"x\" {\n  type = \"batch\"\n  meta {\n    v = \"${length(jsonencode(local.x))}\"\n  }\n  group \"g\" {\n    task \"t\" {\n      driver = \"raw_exec\"\n    }\n  }\n}"
	}
	var chain strings.Builder
	chain.WriteString("locals {\n a0 = \"xxxxxxxxxxxxxxxx\"\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&chain, " a%d = \"${local.a%d}${local.a%d}\"\n", i, i-1, i-1)
	}
	chain.WriteString("}\njob \"x\" {\n meta {\n v = local.a59\n}\n}")
	dynamic := "job \"x\" {\n"
	for i := range 6 {
		dynamic += fmt.Sprintf("dynamic \"group\" {\n for_each = range(100)\n labels = [\"g%d-${group.value}\"]\n content {\n dynamic \"task\" {\n for_each = range(1000)\n labels = [\"t${task.value}\"]\n content {\n driver = \"x\"\n}\n}\n}\n}\n", i)
	}
	dynamic += "}"
	before := rss(t, a.PID())
	for name, body := range map[string]string{
		"format width":     hcl(`format("%1000000000d", 1)`),
		"setproduct":       hcl(`setproduct(range(1000), range(1000), range(1000))`),
		"chained locals":   chain.String(),
		"nested dynamic":   dynamic,
		"deep parentheses": hcl(deep("(", ")", 100000)),
		"deep lists":       hcl(deep("[", "]", 100000)),
		"deep templates":   hcl(deep("\"${", "}\"", 5000)),
		"deep blocks":      strings.Repeat("a {\n", 100000) + strings.Repeat("}\n", 100000),
		"for of for":       hcl(`[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : "x"]]]`),
		"huge number":      hcl(`1e999999999`),
		"pow":              hcl(`pow(10, 100000000)`),
		"cidrsubnets":      hcl(`[for i in range(1024) : cidrsubnets("10.0.0.0/8", [for j in range(1024) : 16]...)]`),
		"bcrypt":           hcl(`bcrypt("x", 31)`),
		"regex":            hcl(`regex_replace("` + strings.Repeat("a", 5000) + `", "(a|aa)+(a|aa)+(a|aa)+$", "` + strings.Repeat("b", 1000) + `")`),
	} {
		began := time.Now()
		r := a.do(t, "PUT", "/v1/jobs/parse", map[string]any{"JobHCL": body})
		took := time.Since(began)
		if r.status == 200 && name != "regex" && name != "deep parentheses" {
			t.Errorf("%s: accepted: %.200s", name, r.body)
		}
		if took > 5*time.Second { // the limit is 1 s of CPU; the machine is busy
			t.Errorf("%s took %s", name, took)
		}
		if grown := (rss(t, a.PID()) - before) >> 20; grown > 200 {
			t.Errorf("%s: the agent grew by %d MiB", name, grown)
			before = rss(t, a.PID())
		}
	}
	for name, body := range map[string]string{
		"deep JSON":       `{"Job":` + deep("[", "]", 100000) + `}`,
		"deep JSON job":   `{"Job":{"ID":"x","TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"raw_exec","Config":{"a":` + deep(`{"a":`, `}`, 9000) + `}}]}]}}`,
		"not JSON":        `hello`,
		"half JSON":       `{"Job":{"ID":"x"`,
		"wrong types":     `{"Job":{"ID":7,"TaskGroups":"x"}}`,
		"huge count":      `{"Job":{"ID":"x","Type":"service","TaskGroups":[{"Name":"g","Count":2000000000,"Tasks":[{"Name":"t","Driver":"raw_exec"}]}]}}`,
		"negative memory": `{"Job":{"ID":"x","TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"raw_exec","Resources":{"MemoryMB":-5}}]}]}}`,
		"null groups":     `{"Job":{"ID":"x","TaskGroups":[null]}}`,
		"null tasks":      `{"Job":{"ID":"x","TaskGroups":[{"Name":"g","Tasks":[null]}]}}`,
		"no job":          `{}`,
		"empty":           ``,
	} {
		r := a.do(t, "PUT", "/v1/jobs", body)
		if r.status != 400 && r.status != 413 && r.status != 500 {
			t.Errorf("%s: %d %.200s", name, r.status, r.body)
		}
		if r.status == 500 {
			t.Errorf("%s: status 500, want 400: %.200s", name, r.body)
		}
	}
	if r := a.do(t, "GET", "/v1/jobs?filter="+strings.Repeat("(", 5000)+"a==b"+strings.Repeat(")", 5000), nil); r.status < 400 {
		t.Errorf("a deep filter: %d", r.status)
	}
	if r := a.do(t, "GET", "/v1/status/leader", nil); r.status != 200 {
		t.Errorf("after all that the agent answers %d", r.status)
	}
}

func TestBlocksThatComeLater(t *testing.T) {
	t.Parallel()
	a := shared(t)
	refused := map[string]string{
		"vault":    "vault {\n role = \"r\"\n}",
		"schedule": "schedule {\n cron {\n start = \"0 30 11 * * * *\"\n end = \"30 13\"\n}\n}",
	}
	for block, text := range refused {
		id := a.jobID(t)
		r := a.cli(t, "job", "run", "-detach", jobFile(t, oneGroup(id, "batch", shell("t", "true", text))))
		if r.code != 1 || !strings.Contains(r.all(), block) {
			t.Errorf("a job with %s: %v; want a refusal that names it", block, r)
		}
	}
	id := a.jobID(t)
	r := a.cli(t, "job", "run", "-detach", jobFile(t, oneGroup(id, "service",
		"service {\n name = \"web\"\n provider = \"nomad\"\n}",
		shell("t", "exec sleep 600"))))
	if r.code != 0 || !strings.Contains(strings.ToLower(r.all()), "warning") {
		t.Errorf("a job with refining blocks: %v; want a warning", r)
	}
	for _, block := range []string{"service"} {
		if !strings.Contains(r.all(), block) {
			t.Errorf("no warning names %s: %v", block, r)
		}
	}
	a.waitOne(t, id, "running")
}
