package telemetry

import (
	"fmt"
	"sort"
	"sync"
	"time"

	metrics "github.com/hashicorp/go-metrics/compat"
	sinks "github.com/hashicorp/go-metrics/compat/prometheus"
	"github.com/prometheus/client_golang/prometheus"
)

// GaugeFunc takes the value of a gauge, with labels.
type GaugeFunc func(value float64, labels []Label, name ...string)

// derived are gauges that are worked out when somebody asks for metrics: kept for
// each interval, thousands of them would take more memory than what they tell of.
var derived struct {
	mu   sync.Mutex
	from *func(GaugeFunc)
	push *metrics.Metrics // to where nobody asks; nil when there is nothing of the kind
}

// Derive has f asked for gauges whenever somebody reads the metrics, from any
// goroutine, until stop is called or another one takes its place.
func Derive(f func(GaugeFunc)) (stop func()) {
	derived.mu.Lock()
	defer derived.mu.Unlock()
	derived.from = &f
	return func() {
		derived.mu.Lock()
		defer derived.mu.Unlock()
		if derived.from == &f {
			derived.from = nil
		}
	}
}

// PushDerived sends the gauges of Derive to statsd and statsite, if there are any.
func PushDerived() {
	derived.mu.Lock()
	push := derived.push
	derived.mu.Unlock()
	if push != nil {
		deriveTo(push)
	}
}

func setPush(m *metrics.Metrics) {
	derived.mu.Lock()
	defer derived.mu.Unlock()
	derived.push = m
}

// deriveTo works the gauges out and sets them, names, labels and filters as ever.
func deriveTo(m *metrics.Metrics) {
	derived.mu.Lock()
	from := derived.from
	derived.mu.Unlock()
	if from != nil {
		(*from)(func(value float64, labels []Label, name ...string) {
			m.SetGaugeWithLabels(name, float32(value), labels)
		})
	}
}

// collect gives a collector of the same names, labels and filters for a sink.
func (t *Telemetry) collect(sink metrics.MetricSink) (*metrics.Metrics, error) {
	config := *t.config
	config.EnableRuntimeMetrics = false
	return metrics.New(&config, sink)
}

// derivedGauges gives the gauges of Derive as they are now, in JSON's shape.
func (t *Telemetry) derivedGauges() ([]metrics.GaugeValue, error) {
	memory := metrics.NewInmemSink(time.Hour, time.Hour)
	m, err := t.collect(memory)
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	deriveTo(m)
	var list []metrics.GaugeValue
	for _, interval := range memory.Data() {
		for hash, g := range interval.Gauges {
			g.Hash, g.DisplayLabels = hash, map[string]string{}
			for _, l := range g.Labels {
				g.DisplayLabels[l.Name] = l.Value
			}
			g.Labels = nil
			list = append(list, g)
		}
	}
	return list, nil
}

// derivedRegistry gives the same in Prometheus's shape.
func (t *Telemetry) derivedRegistry() (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	opts := sinks.DefaultPrometheusOpts
	opts.Registerer = registry
	sink, err := sinks.NewPrometheusSinkFrom(opts)
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	m, err := t.collect(sink)
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	deriveTo(m)
	return registry, nil
}

func sortGauges(list []metrics.GaugeValue) {
	sort.Slice(list, func(i, j int) bool { return list[i].Hash < list[j].Hash })
}
