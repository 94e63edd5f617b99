package telemetry

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestBothFormatsShowWhatWasCounted(t *testing.T) {
	tel, err := Start(Config{Prometheus: true, HostLabel: "h1"})
	if err != nil {
		t.Fatal(err)
	}
	Gauge(3, "nomad", "broker", "total_ready")
	GaugeWith(7, []Label{{Name: "node_id", Value: "n1"}}, "client", "allocs", "running")
	Count(2, "client", "allocs", "start")
	Sample(1.5, "nomad", "plan", "evaluate")

	summary, err := tel.Summary()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(summary)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"nomad.nomad.broker.total_ready"`, `"node_id":"n1"`, `"nomad.client.allocs.start"`, `"nomad.nomad.plan.evaluate"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("JSON lacks %s:\n%s", want, data)
		}
	}
	var text strings.Builder
	if ok, err := tel.WritePrometheus(&text); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, want := range []string{`nomad_nomad_broker_total_ready{host="h1"} 3`, `nomad_client_allocs_running{host="h1",node_id="n1"} 7`, `nomad_client_allocs_start{host="h1"} 2`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("text lacks %s:\n%s", want, text.String())
		}
	}
}

func TestFiltersAreChecked(t *testing.T) {
	if _, err := Start(Config{PrefixFilter: []string{"nomad.raft"}}); err == nil || !strings.Contains(err.Error(), `"nomad.raft"`) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutPrometheus(t *testing.T) {
	tel, err := Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := tel.WritePrometheus(&strings.Builder{}); ok || err != nil {
		t.Error(ok, err)
	}
}
