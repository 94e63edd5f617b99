// Package drivers is the public SDK for task drivers: the Driver interface, the optional abilities beside it, and the plain values that
// travel between the node agent and a driver.
//
// A driver starts, watches, stops and forgets tasks. It does not fetch artifacts, render templates, rotate logs or decide about restarts:
// that is the node agent's work. Drivers are written against this package alone and know nothing of processes or wires; drivers/plugin
// puts the same interface on both sides of a go-plugin connection, and drivers/drivertest is the suite that every driver passes, in
// process and across that connection.
//
// The package starts no goroutine and imports only the standard library.
package drivers
