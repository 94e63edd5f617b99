package trace

import (
	"strings"
	"testing"
	"time"
)

func TestNothingIsDoneWithoutACollector(t *testing.T) {
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		if Wanted() {
			t.Error("somebody wants traces")
		}
		Step("d5b5c3d0-0000-4000-8000-000000000000", "queue", now, now)
	}); n != 0 {
		t.Errorf("%v allocations for a span that nobody wants", n)
	}
}

func TestEndpointIsChecked(t *testing.T) {
	for in, want := range map[string]string{
		"http://127.0.0.1:4318": "http://127.0.0.1:4318/v1/traces", "https://otel.example.com/": "https://otel.example.com/v1/traces",
		"https://otel.example.com/in/v1/traces": "https://otel.example.com/in/v1/traces",
		"127.0.0.1:4318":                        "", "": "", "grpc://x:4317": "", "http://user:SECRET@x": "", "http://x?token=SECRET": "",
	} {
		got, err := endpoint(in)
		if got != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := Start(Config{Endpoint: "http://127.0.0.1:1", Sample: 2}); err == nil || !strings.Contains(err.Error(), "otlp_sample") {
		t.Errorf("a sample of 2: %v", err)
	}
}
