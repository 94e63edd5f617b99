// Package agent runs a server, a client or both in one process, with the HTTP
// API in front: it turns the configuration into the parts, joins them, starts
// them in order and stops them in order.
//
// It is the only package that sees both server and client. The CLI calls Run.
// The goroutines belong to the parts; Run joins them.
package agent
