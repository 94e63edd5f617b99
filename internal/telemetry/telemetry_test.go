package telemetry

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"
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

func TestDerivedGaugesAreWorkedOutWhenAsked(t *testing.T) {
	tel, err := Start(Config{Prometheus: true, HostLabel: "h1", PrefixFilter: []string{"-nomad.nomad.hidden"}})
	if err != nil {
		t.Fatal(err)
	}
	value := 0.0
	stop := Derive(func(gauge GaugeFunc) {
		value++
		gauge(value, []Label{{Name: "job", Value: "web"}}, "nomad", "job_summary", "running")
		gauge(1, nil, "nomad", "hidden", "thing")
	})
	read := func() (asJSON, text string) {
		t.Helper()
		summary, err := tel.Summary()
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(summary)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if ok, err := tel.WritePrometheus(&out); !ok || err != nil {
			t.Fatal(ok, err)
		}
		return string(data), out.String()
	}
	Gauge(3, "nomad", "broker", "total_ready")
	asJSON, text := read()
	for _, want := range []string{`"Name":"nomad.nomad.job_summary.running","Value":1,`, `"job":"web"`, `"nomad.nomad.broker.total_ready"`} {
		if !strings.Contains(asJSON, want) {
			t.Errorf("JSON lacks %s:\n%s", want, asJSON)
		}
	}
	for _, want := range []string{`nomad_nomad_job_summary_running{host="h1",job="web"} 2`, "nomad_nomad_broker_total_ready"} {
		if !strings.Contains(text, want) {
			t.Errorf("text lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(asJSON+text, "hidden") {
		t.Error("the filter let one through")
	}
	later := Derive(func(gauge GaugeFunc) { gauge(7, nil, "nomad", "later") })
	stop() // takes nothing away from the one that came after
	if asJSON, text = read(); !strings.Contains(asJSON, "nomad.nomad.later") || !strings.Contains(text, "nomad_nomad_later") || strings.Contains(text, "job_summary") {
		t.Errorf("the later one is missing, or the first is there:\n%s", text)
	}
	if later(); value != 2 {
		t.Errorf("asked %v times", value)
	}
	if asJSON, text = read(); strings.Contains(asJSON+text, "later") {
		t.Error("still there")
	}
}

func TestDerivedGaugesArePushed(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := Start(Config{StatsdAddr: conn.LocalAddr().String()}); err != nil {
		t.Fatal(err)
	}
	defer Derive(func(gauge GaugeFunc) { gauge(5, nil, "nomad", "derived") })()
	PushDerived()
	buf := make([]byte, 1500)
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(buf[:n]), "nomad.nomad.derived") {
			return
		}
	}
}
