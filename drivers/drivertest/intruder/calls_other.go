//go:build !amd64

package main

import "golang.org/x/sys/unix"

// narrowCall: there are no calls of 32 bits to be made from here.
func narrowCall(int) int32 { return -int32(unix.ENOSYS) }
