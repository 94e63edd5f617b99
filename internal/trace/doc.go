// Package trace tells the way of evaluations as OpenTelemetry traces, where the
// configuration names a collector (telemetry { otlp_endpoint }). Without one
// every call returns at once: it costs an atomic load.
//
// Nothing is passed between processes. The trace of an evaluation has the
// evaluation's ID, which is 128 bits as trace IDs are, and its root span an ID
// that follows from it. Servers and clients know the evaluation of everything
// they do, so each tells its own spans, when they are over.
//
// It is the only importer of OpenTelemetry's SDK. Called by the leader's
// planner, the registration of jobs, and the client's allocations.
package trace
