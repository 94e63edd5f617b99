package agent

import (
	"context"
	"time"

	"github.com/seraihq/serai/internal/trace"
	"github.com/seraihq/serai/internal/version"
)

// traceGrace is how long the last traces have to be delivered when the agent
// stops.
const traceGrace = 2 * time.Second

// startTraces sends the traces of evaluations where the configuration says so.
func (a *Agent) startTraces() (err error) {
	t := a.cfg.Telemetry
	if t.OTLPEndpoint == "" {
		return nil
	}
	headers := map[string]string{}
	for k, v := range t.OTLPHeaders {
		headers[k] = v.Reveal()
	}
	a.traces, err = trace.Start(trace.Config{
		Endpoint: t.OTLPEndpoint, Headers: headers, Sample: t.OTLPSample,
		Instance: a.cfg.Name, Version: version.String(), Logger: a.logger,
	})
	return err
}

func (a *Agent) stopTraces() {
	if a.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceGrace)
	defer cancel()
	if err := a.traces(ctx); err != nil {
		a.logger.Warn("the last traces were not delivered", "err", err)
	}
}
