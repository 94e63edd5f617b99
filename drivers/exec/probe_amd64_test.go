package exec_test

// probeArch tries the x32 interface, by which numbers mean something else.
func probeArch(try func(string, uintptr, ...uintptr)) {
	try("x32 getpid", 0x40000000+39)
}
