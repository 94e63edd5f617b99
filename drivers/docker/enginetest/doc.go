// Package enginetest starts a Docker Engine for tests: in a network namespace and below a directory of its own, with an image made from busybox, and
// nothing of it stays, not even when the test is killed. It is imported by tests only.
package enginetest
