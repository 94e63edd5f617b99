// Package plugin puts a drivers.Driver on both sides of a process boundary: Serve offers one to the process that started this one, Launch and
// Reattach give the Driver that another process serves. Callers cannot tell it from one in their own process.
//
// The wire is hashicorp/go-plugin with the gRPC driver protocol that Nomad's drivers speak (API version v0.1.0), so that third-party driver
// binaries run unmodified and our drivers run elsewhere. The .proto files in internal/wire are written from that protocol's facts.
//
// This is the only package that imports go-plugin. A launched process has a session of its own, writes its log to a file, and holds both
// ends of its standard output, so it survives the agent. Goroutines: those of one gRPC connection and one watcher per Client; Close joins
// the watcher.
package plugin
