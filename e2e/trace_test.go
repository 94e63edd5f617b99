package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/seraihq/serai/e2e/rig"
)

// receiver is a collector of traces that speaks OTLP over HTTP.
type receiver struct {
	mu       sync.Mutex
	spans    []*v1.Span
	problems []string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if req.URL.Path != "/v1/traces" || req.Header.Get("X-Team") != "SENTINEL" {
		r.problems = append(r.problems, req.URL.Path+" with the header "+req.Header.Get("X-Team"))
	}
	body, err := io.ReadAll(req.Body)
	var data v1.TracesData // on the wire as the request is
	if err == nil {
		err = proto.Unmarshal(body, &data)
	}
	if err != nil {
		r.problems = append(r.problems, err.Error())
	}
	for _, resource := range data.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			r.spans = append(r.spans, scope.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// of gives the spans of an evaluation, by their names.
func (r *receiver) of(eval string) (map[string]*v1.Span, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]*v1.Span{}
	for _, s := range r.spans {
		if hex.EncodeToString(s.TraceId) == strings.ReplaceAll(eval, "-", "") {
			out[s.Name] = s
		}
	}
	return out, slices.Clone(r.problems)
}

// TestTraceOfAnEvaluation follows a job from its registration to its running
// task in what an OpenTelemetry collector receives.
func TestTraceOfAnEvaluation(t *testing.T) {
	t.Parallel()
	var collector receiver
	s := httptest.NewServer(&collector)
	defer s.Close()
	a := start(t, rig.Options{Config: "telemetry {\n otlp_endpoint = \"" + s.URL + "\"\n otlp_headers = { \"X-Team\" = \"SENTINEL\" }\n}\n"})
	if self := a.do(t, http.MethodGet, "/v1/agent/self", nil); strings.Contains(string(self.body), "SENTINEL") {
		t.Error("the agent shows the header of its collector")
	}
	job := a.jobID(t)
	registered := a.register(t, `job "`+job+`" {
  group "g" {
    task "t" {
      driver = "mock_driver"
      config { run_for = "1h" }
    }
  }
}`)
	a.waitOne(t, job, "running")
	want := []string{"evaluation", "register", "queue", "schedule", "commit", "receive", "start"}
	var spans map[string]*v1.Span
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		var problems []string
		spans, problems = collector.of(registered.EvalID)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if !slices.ContainsFunc(want, func(name string) bool { return spans[name] == nil }) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the collector has %v", spans)
		}
	}
	root := spans["evaluation"]
	if len(root.ParentSpanId) != 0 {
		t.Error("the evaluation's span has a parent")
	}
	for name, s := range spans {
		if s != root && string(s.ParentSpanId) != string(root.SpanId) {
			t.Errorf("span %s is not below the evaluation's", name)
		}
		if s.EndTimeUnixNano < s.StartTimeUnixNano || time.Since(time.Unix(0, int64(s.StartTimeUnixNano))) > time.Hour {
			t.Errorf("span %s is from %d to %d", name, s.StartTimeUnixNano, s.EndTimeUnixNano)
		}
	}
	if spans["start"].EndTimeUnixNano < spans["commit"].StartTimeUnixNano {
		t.Error("the task ran before its plan was committed")
	}
}
