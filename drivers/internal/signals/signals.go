// Package signals reads and writes the names of signals. It holds no state.
package signals

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Parse reads "SIGHUP", "hup" or "1"; an empty name is the one that stands in fallback.
func Parse(name, fallback string) (unix.Signal, error) {
	if name == "" {
		name = fallback
	}
	up := strings.ToUpper(strings.TrimSpace(name))
	if n, err := strconv.Atoi(up); err == nil && n > 0 && n <= 64 {
		return unix.Signal(n), nil
	}
	if !strings.HasPrefix(up, "SIG") {
		up = "SIG" + up
	}
	if s := unix.SignalNum(up); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("signal %q is not known here: use a name such as SIGTERM or SIGHUP", name)
}

// Name is the name of a signal, as in "SIGHUP".
func Name(s unix.Signal) string {
	if n := unix.SignalName(s); n != "" {
		return n
	}
	return "signal " + strconv.Itoa(int(s))
}
