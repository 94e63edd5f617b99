// Package openapi makes the OpenAPI 3.1 document of the HTTP API, and the
// TypeScript types of the web UI, from the endpoint table by reflection. Both
// follow the Go types, so neither can say something that an agent does not do.
//
// It is called by command/agent/rest, which serves the document, and by the
// test that keeps ui/src/api/types.gen.ts current. It owns no goroutine.
package openapi
