package planner

import (
	"strings"
	"time"

	"github.com/seraihq/serai/internal/telemetry"
)

// measure records how long something took.
func measure(name string, start time.Time) { telemetry.Since(start, strings.Split(name, ".")...) }

// count adds to a counter.
func count(name string, n int) {
	if n > 0 {
		telemetry.Count(n, strings.Split(name, ".")...)
	}
}
