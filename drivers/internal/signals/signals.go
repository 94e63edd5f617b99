// Package signals reads and writes the names of signals. It also sees to it that tasks ignore none that they do not want to.
package signals

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Unignore lets the processes that this one starts meet signals as if nobody had ever ignored them, while this one goes on to do nothing about them. Who
// starts an agent by nohup, or from a script in the background, means the agent and not its tasks.
func Unignore() {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return
	}
	var list []os.Signal
	for line := range strings.Lines(string(text)) {
		mask, ok := strings.CutPrefix(line, "SigIgn:")
		if !ok {
			continue
		}
		ignored, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		for n := 1; err == nil && n <= 64; n++ {
			if ignored&(1<<(n-1)) != 0 {
				list = append(list, unix.Signal(n))
			}
		}
	}
	if len(list) > 0 {
		// A handled signal has its default again in a program that is executed; an ignored one has not.
		signal.Notify(make(chan os.Signal, 1), list...)
	}
}

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
