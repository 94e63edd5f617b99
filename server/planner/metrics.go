package planner

import (
	"strings"
	"time"

	"github.com/seraihq/serai/internal/telemetry"
)

// measure records how long something took.
func measure(name string, start time.Time) { telemetry.Since(start, parts(name)...) }

// count adds to a counter.
func count(name string, n int) {
	if n > 0 {
		telemetry.Count(n, parts(name)...)
	}
}

// parts gives a name's parts; those of the servers all begin with "nomad".
func parts(name string) []string { return append([]string{"nomad"}, strings.Split(name, ".")...) }
