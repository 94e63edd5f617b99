// Package endpoint answers the operations of the API's table that are about
// the cluster's state: one file per object.
//
// A read is a pure function of a view. Blocking for an index, namespaces,
// prefixes, filters, pages and headers are wrapped around all of them once
// (read.go, page.go, filter.go). A write checks the request, makes one command
// and has it applied through the log (write.go).
//
// command/agent calls Handle for requests that came over HTTP. The package
// owns no goroutine; a blocking read waits on the caller's.
package endpoint
