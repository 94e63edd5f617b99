// Package client is the node agent: it says what the node has (fingerprint),
// registers it, receives on one stream what should run here, runs it (alloc,
// task, steps) and sends back what became of it.
//
// It is not the HTTP layer: access.go is what that layer calls. It knows
// servers only through the Server interface, and drivers only through Drivers.
//
// command/agent makes one Client with New and calls Run, which owns all
// goroutines: the sync loop, the updater, the collector of garbage, the
// reaper, and one loop per allocation.
package client
