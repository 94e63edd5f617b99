// Package audit writes down what is asked of an agent's HTTP API: who asked,
// what, from where, and how it ended; one JSON object a line.
//
// A request has two records: one before it is carried out, one before its answer
// is sent. Where writing is enforced, a request that cannot be written down is
// not carried out, and no answer says that one was whose end was not. Nothing
// secret is in a record: no body, no query, no token but the accessor of one.
//
// command/agent opens a Log and puts its Handler before package rest, on every
// way in. The package owns no goroutines.
package audit
