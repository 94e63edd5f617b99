// Package events is the event stream: what has changed in the store, told to
// whoever subscribes, by topic, key and namespace.
//
// The Buffer keeps the last commits of the change feed. Each subscriber makes
// its events from them at its own pace, so that a commit costs nothing while
// nobody listens; one that is slower than the buffer is long is told of the
// gap and ended. The package owns the goroutine of Run.
package events
