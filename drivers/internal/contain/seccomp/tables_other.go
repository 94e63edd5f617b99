//go:build !amd64 && !arm64

package seccomp

// tables is empty where nobody has written down the numbers: they then refuse to start tasks.
var tables []table
