// Package rpc is how agents talk to each other: HTTP/2 over TCP, with the
// binary codec of package wire.
//
// Handler answers client agents on a server; Client is the other end, in a
// client agent, with the methods that package client asks of its servers. The
// stream of a node's allocations is a response that does not end: frames of a
// length, a kind and a body. Everything else is one request and one answer.
// People's requests (/v1/) pass from agent to agent as they are, in JSON, over
// the same connections: Client.Forward.
//
// Errors keep their kind (api.Err...). What comes from the other side is
// bounded before memory is taken for it. Connections are pinged when they are
// quiet, so that a dead one is noticed. Connections have TLS with certificates
// on both sides (package tlsx), and each call is for certain roles (Roles); an
// agent without TLS keeps to loopback.
//
// The package starts no goroutines of its own.
package rpc
