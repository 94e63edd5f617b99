// Package rest answers an agent's HTTP API. It finds the operation in the
// endpoint table, decodes the request, has it answered by the server, the
// client or the agent itself, and writes the answer with Nomad's headers,
// status codes and texts.
//
// It owns no goroutine beyond those of the sessions it serves. Package listen
// stands before it with the limits that hold for any request.
package rest
