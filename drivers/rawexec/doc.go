// Package rawexec is raw_exec: tasks as plain processes of the host, without isolation, each in a control group of its own.
//
// It is off unless the operator enables it. A task gets no more of the agent's environment than where programs and the user's home are:
// secrets of the agent never reach tasks. What happens after the start is drivers/internal/supervise's business.
package rawexec
