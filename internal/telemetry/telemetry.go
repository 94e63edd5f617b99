// Package telemetry keeps an agent's metrics under Nomad's names and hands
// them out: as JSON from memory, in Prometheus's format, and to statsd or
// statsite. It is the only importer of go-metrics; Raft's own metrics arrive
// through the same global collector.
//
// Names are given without the leading "nomad", which every metric gets.
package telemetry

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	metrics "github.com/hashicorp/go-metrics/compat"
	sinks "github.com/hashicorp/go-metrics/compat/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Config says what is kept and where it goes.
type Config struct {
	Interval       time.Duration // of one aggregate in memory; 10 s when 0
	Retention      time.Duration // of the aggregates; 1 min when 0
	Prometheus     bool
	StatsdAddr     string
	StatsiteAddr   string
	HostLabel      string   // label "host" of every metric; the host's name when empty
	NoHostLabel    bool     // no label "host"
	PrefixFilter   []string // "+prefix" keeps, "-prefix" drops
	DropUnfiltered bool     // drop what no prefix keeps
}

// Telemetry is a running collector.
type Telemetry struct {
	memory   *metrics.InmemSink
	registry *prometheus.Registry // nil unless asked for
	config   *metrics.Config
}

// Label tells metrics of one name apart.
type Label = metrics.Label

// Start makes the process's collector. A later call replaces the earlier one's.
func Start(c Config) (*Telemetry, error) {
	if c.Interval <= 0 {
		c.Interval = 10 * time.Second
	}
	if c.Retention <= 0 {
		c.Retention = time.Minute
	}
	t := &Telemetry{memory: metrics.NewInmemSink(c.Interval, c.Retention)}
	fan := metrics.FanoutSink{t.memory}
	if c.Prometheus {
		t.registry = prometheus.NewRegistry()
		opts := sinks.DefaultPrometheusOpts
		opts.Registerer = t.registry
		sink, err := sinks.NewPrometheusSinkFrom(opts)
		if err != nil {
			return nil, fmt.Errorf("telemetry: prometheus: %w", err)
		}
		fan = append(fan, sink)
	}
	var remote metrics.FanoutSink
	if c.StatsdAddr != "" {
		sink, err := metrics.NewStatsdSink(c.StatsdAddr)
		if err != nil {
			return nil, fmt.Errorf("telemetry: statsd_address %q: %w", c.StatsdAddr, err)
		}
		remote = append(remote, sink)
	}
	if c.StatsiteAddr != "" {
		sink, err := metrics.NewStatsiteSink(c.StatsiteAddr)
		if err != nil {
			return nil, fmt.Errorf("telemetry: statsite_address %q: %w", c.StatsiteAddr, err)
		}
		remote = append(remote, sink)
	}
	config, err := collector(c)
	if err != nil {
		return nil, err
	}
	t.config = config
	var push *metrics.Metrics
	if len(remote) > 0 {
		if push, err = t.collect(remote); err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
	}
	if _, err := metrics.NewGlobal(config, append(fan, remote...)); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	setPush(push)
	return t, nil
}

func collector(c Config) (*metrics.Config, error) {
	config := metrics.DefaultConfig("nomad")
	config.EnableHostname = false
	config.EnableHostnameLabel = !c.NoHostLabel
	if c.HostLabel != "" {
		config.HostName = c.HostLabel
	} else if name, err := os.Hostname(); err == nil {
		config.HostName = name
	}
	config.FilterDefault = !c.DropUnfiltered
	for _, rule := range c.PrefixFilter {
		switch {
		case strings.HasPrefix(rule, "+") && len(rule) > 1:
			config.AllowedPrefixes = append(config.AllowedPrefixes, rule[1:])
		case strings.HasPrefix(rule, "-") && len(rule) > 1:
			config.BlockedPrefixes = append(config.BlockedPrefixes, rule[1:])
		default:
			return nil, fmt.Errorf("telemetry: prefix_filter %q must begin with + (keep) or - (drop)", rule)
		}
	}
	return config, nil
}

// Summary gives the aggregates of the last interval that is over, and the gauges
// of Derive as they are now, in Nomad's JSON shape.
func (t *Telemetry) Summary() (any, error) {
	// The sink answers an HTTP handler; it looks at neither argument.
	shown, err := t.memory.DisplayMetrics(nil, nil)
	if err != nil {
		return nil, err
	}
	more, err := t.derivedGauges()
	if err != nil {
		return nil, err
	}
	summary := shown.(metrics.MetricsSummary)
	summary.Gauges = append(summary.Gauges, more...)
	sortGauges(summary.Gauges)
	return summary, nil
}

// WritePrometheus writes all metrics in Prometheus's text format; ok is false
// when they are not kept for it.
func (t *Telemetry) WritePrometheus(w io.Writer) (ok bool, err error) {
	if t.registry == nil {
		return false, nil
	}
	more, err := t.derivedRegistry()
	if err != nil {
		return true, err
	}
	families, err := prometheus.Gatherers{t.registry, more}.Gather()
	if err != nil {
		return true, fmt.Errorf("gather metrics: %w", err)
	}
	var buf bytes.Buffer
	encoder := expfmt.NewEncoder(&buf, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			return true, fmt.Errorf("write metric %s: %w", f.GetName(), err)
		}
	}
	_, err = w.Write(buf.Bytes())
	return true, err
}

// PrometheusContentType is the media type of what WritePrometheus writes.
const PrometheusContentType = "text/plain; version=0.0.4; charset=utf-8"

// Gauge sets a value that goes up and down.
func Gauge(value float64, name ...string) { metrics.SetGauge(name, float32(value)) }

// GaugeWith sets a value that goes up and down, with labels.
func GaugeWith(value float64, labels []Label, name ...string) {
	metrics.SetGaugeWithLabels(name, float32(value), labels)
}

// Count adds to a counter.
func Count(n int, name ...string) { metrics.IncrCounter(name, float32(n)) }

// CountWith adds to a counter, with labels.
func CountWith(n int, labels []Label, name ...string) {
	metrics.IncrCounterWithLabels(name, float32(n), labels)
}

// Since samples the milliseconds that passed since start.
func Since(start time.Time, name ...string) { metrics.MeasureSince(name, start) }

// Sample adds a value whose distribution is of interest.
func Sample(value float64, name ...string) { metrics.AddSample(name, float32(value)) }
