// Package server is the control plane: it opens the store and the log, answers
// the operations of the API's table (endpoint), serves client agents (node) and
// runs the leader's work (broker, planner, heartbeat, gc) for as long as this
// server leads.
//
// command/agent opens one Server, calls Run and hands requests to Handle. The
// parts meet only in the store: none imports another.
package server
