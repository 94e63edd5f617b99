// Package listen is the outer shell of the agent's HTTP API: the listener with
// its limits and timeouts, and the checks that every request passes before any
// handler sees it (Host, Origin, kind and size of the body).
//
// One port speaks several protocols: HTTP, and what Streams was asked for. TLS
// with its ALPN, or a preamble, tells them apart.
//
// It knows nothing of jobs, servers or clients. command/agent makes one Server
// with the handler of package rest inside and calls Run, which owns the
// goroutines of net/http.
package listen
