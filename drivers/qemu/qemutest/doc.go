// Package qemutest makes guests for tests and measurements of virtual machines: one of 512 bytes that boots in a tenth of a second, and one with a
// real kernel that answers over HTTP and obeys its power button. It owns no goroutine.
package qemutest
