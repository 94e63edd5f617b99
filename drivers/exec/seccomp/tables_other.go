//go:build !amd64 && !arm64

package seccomp

// tables is empty where nobody has written down the numbers: exec then refuses to start tasks.
var tables []table
