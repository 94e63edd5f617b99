package trace

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Config says where traces go.
type Config struct {
	// Endpoint is the address of an OTLP/HTTP collector, "http://HOST:4318".
	// Traces are posted to it with /v1/traces added, unless it has a path.
	Endpoint string
	Headers  map[string]string // sent with every request; for tokens
	Sample   float64           // share of the evaluations that are traced, 0 to 1
	Service  string            // name of the service, "serai" when empty
	Instance string            // name of the agent
	Version  string
	Logger   *slog.Logger
}

// tracer is what spans are told to; nil when nobody wants them.
type tracer struct {
	oteltrace.Tracer
	provider *sdk.TracerProvider
}

var active atomic.Pointer[tracer]

// Start sends traces from here on until stop is called, which sends what is
// left. There is one destination in a process.
func Start(c Config) (stop func(context.Context) error, err error) {
	address, err := endpoint(c.Endpoint)
	if err != nil {
		return nil, err
	}
	if c.Sample < 0 || c.Sample > 1 {
		return nil, fmt.Errorf("telemetry.otlp_sample = %v: must be from 0 to 1", c.Sample)
	}
	exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(address), otlptracehttp.WithHeaders(c.Headers))
	if err != nil {
		return nil, fmt.Errorf("telemetry.otlp_endpoint %s: %w", c.Endpoint, err)
	}
	if c.Service == "" {
		c.Service = "serai"
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		c.Logger.Warn("traces are not delivered", "component", "trace", "err", err)
	}))
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter, sdk.WithBatchTimeout(time.Second)),
		sdk.WithIDGenerator(generator{}),
		sdk.WithSampler(sdk.TraceIDRatioBased(c.Sample)),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", c.Service), attribute.String("service.instance.id", c.Instance), attribute.String("service.version", c.Version))),
	)
	t := &tracer{provider.Tracer("serai"), provider}
	active.Store(t)
	return func(ctx context.Context) error {
		active.CompareAndSwap(t, nil)
		return provider.Shutdown(ctx)
	}, nil
}

// endpoint checks an address and gives it its path.
func endpoint(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("telemetry.otlp_endpoint: write it like \"http://127.0.0.1:4318\"; tokens go into otlp_headers")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// Wanted says whether anybody wants traces, for callers that would have to look
// something up first.
func Wanted() bool { return active.Load() != nil }

// Attr is a fact about a span.
type Attr struct{ Key, Value string }

// Evaluation tells the root span of an evaluation, which holds the others.
func Evaluation(evalID string, start, end time.Time, attrs ...Attr) {
	if t := active.Load(); t != nil {
		t.tell(evalID, "evaluation", true, start, end, attrs)
	}
}

// Step tells a step of an evaluation's way.
func Step(evalID, name string, start, end time.Time, attrs ...Attr) {
	if t := active.Load(); t != nil {
		t.tell(evalID, name, false, start, end, attrs)
	}
}

func (t *tracer) tell(evalID, name string, root bool, start, end time.Time, attrs []Attr) {
	id, err := uuid.Parse(evalID)
	if err != nil {
		return
	}
	facts := make([]attribute.KeyValue, 0, len(attrs)+1)
	facts = append(facts, attribute.String("serai.eval_id", evalID))
	for _, a := range attrs {
		facts = append(facts, attribute.String("serai."+a.Key, a.Value))
	}
	ctx := context.Background()
	if root {
		ctx = context.WithValue(ctx, rootKey{}, id)
	} else {
		ctx = oteltrace.ContextWithRemoteSpanContext(ctx, oteltrace.NewSpanContext(oteltrace.SpanContextConfig{
			TraceID: oteltrace.TraceID(id), SpanID: rootSpan(id), Remote: true,
		}))
	}
	_, span := t.Start(ctx, name, oteltrace.WithTimestamp(start), oteltrace.WithAttributes(facts...))
	span.End(oteltrace.WithTimestamp(end))
}

// rootKey is where a context holds the evaluation of a root span.
type rootKey struct{}

// generator gives root spans their evaluation's ID, and others any.
type generator struct{}

// NewIDs gives the IDs of a root span.
func (g generator) NewIDs(ctx context.Context) (oteltrace.TraceID, oteltrace.SpanID) {
	id, ok := ctx.Value(rootKey{}).(uuid.UUID)
	if !ok {
		id = uuid.New()
	}
	return oteltrace.TraceID(id), rootSpan(id)
}

// NewSpanID gives the ID of a span below another.
func (generator) NewSpanID(context.Context, oteltrace.TraceID) oteltrace.SpanID {
	id := uuid.New()
	return oteltrace.SpanID(id[8:])
}

// rootSpan is the ID of the root span of an evaluation.
func rootSpan(eval uuid.UUID) (out oteltrace.SpanID) {
	sum := sha256.Sum256(eval[:])
	copy(out[:], sum[:])
	return out
}
