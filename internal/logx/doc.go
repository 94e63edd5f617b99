// Package logx writes the agent's log: slog records as lines of text or JSON
// that read like Nomad's, and log files that are rotated. Whoever follows a log
// over the API is in command/agent/monitor.
//
// It starts no goroutine.
package logx
