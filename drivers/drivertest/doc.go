// Package drivertest is the conformance suite: what every driver must do, run on each of them inside the test's process and across a plugin
// connection, with its host killed in the middle.
//
// A driver's author calls Run from a test with a Subject that makes the driver and writes task configurations for it.
package drivertest
