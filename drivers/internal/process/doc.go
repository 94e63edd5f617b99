// Package process identifies a Linux process beyond the reuse of its number, signals it without a race, and learns how it ended, whether it
// is a child of the caller or not.
//
// Drivers and the plugin launcher use it. A Process owns one file descriptor (a pidfd) and, while waited for, one goroutine and no thread.
package process
