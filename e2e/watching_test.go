package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"gopkg.in/yaml.v2"

	"github.com/seraihq/serai/e2e/rig"
)

// expressions gives those of the dashboard and of the alert rules, by where they
// stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	text, err := os.ReadFile("../docs/operate/grafana-dashboard.json")
	if err == nil {
		err = json.Unmarshal(text, &board)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			out["panel "+p.Title+": "+target.Expr] = target.Expr
		}
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For string
				Labels           map[string]string
				Annotations      map[string]string
			}
		}
	}
	text, err = os.ReadFile("../docs/operate/prometheus-alerts.yaml")
	if err == nil {
		err = yaml.UnmarshalStrict(text, &rules)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			out["alert "+r.Alert] = r.Expr
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["next"] == "" {
				t.Errorf("alert %s lacks a severity, a summary or what to do next", r.Alert)
			}
		}
	}
	if len(out) < 40 {
		t.Fatalf("only %d expressions were found", len(out))
	}
	return out
}

var typeLine = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)

// TestWhatIsWatchedIsThere: every metric that the dashboard and the alert rules
// name is emitted by an agent that has run a job.
func TestWhatIsWatchedIsThere(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Config: "telemetry {\n prometheus_metrics = true\n publish_allocation_metrics = true\n publish_node_metrics = true\n}\n"})
	id := a.jobID(t)
	a.register(t, `job "`+id+`" {
  group "g" {
    task "t" {
      driver = "mock_driver"
      config {
        run_for = "1h"
      }
    }
  }
}`)
	a.waitOne(t, id, "running")
	named := map[string][]string{}
	for where, text := range expressions(t) {
		e, err := metricsql.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		metricsql.VisitAll(e, func(e metricsql.Expr) {
			m, ok := e.(*metricsql.MetricExpr)
			if !ok {
				return
			}
			for _, filters := range m.LabelFilterss {
				for _, f := range filters {
					if f.Label == "__name__" {
						named[f.Value] = append(named[f.Value], where)
					}
				}
			}
		})
	}
	kinds := map[string]string{} // a summary that nothing is added to is forgotten after a minute
	for end := time.Now().Add(2 * patience); ; time.Sleep(500 * time.Millisecond) {
		for _, m := range typeLine.FindAllStringSubmatch(string(a.do(t, "GET", "/v1/metrics?format=prometheus", nil).body), -1) {
			kinds[m[1]] = m[2]
		}
		var missing []string
		for name, where := range named {
			if kinds[name] == "" {
				missing = append(missing, name+" ("+where[0]+")")
			}
		}
		if len(missing) == 0 {
			checkKinds(t, named, kinds)
			return
		}
		if time.Now().After(end) {
			slices.Sort(missing)
			t.Fatalf("not emitted: %s", strings.Join(missing, "\n"))
		}
	}
}

// checkKinds: only counters have rates, and only summaries quantiles.
func checkKinds(t *testing.T, named map[string][]string, kinds map[string]string) {
	t.Helper()
	for name, places := range named {
		for _, where := range places {
			_, text, _ := strings.Cut(where, ": ")
			if strings.Contains(text, "("+name+"[") && kinds[name] != "counter" && name != "nomad_runtime_total_gc_runs" {
				t.Errorf("%s takes the rate of a %s", where, kinds[name])
			}
			if strings.Contains(text, name+"{quantile") && kinds[name] != "summary" {
				t.Errorf("%s takes a quantile of a %s", where, kinds[name])
			}
		}
	}
}
