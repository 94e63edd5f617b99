package planner

import (
	"strings"
	"time"

	"github.com/hashicorp/go-metrics"
)

// measure records how long something took, under "nomad." and the name.
func measure(name string, start time.Time) {
	metrics.MeasureSince(append([]string{"nomad"}, strings.Split(name, ".")...), start)
}

// count adds to a counter.
func count(name string, n int) {
	if n > 0 {
		metrics.IncrCounter(append([]string{"nomad"}, strings.Split(name, ".")...), float32(n))
	}
}
