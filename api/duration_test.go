package api

import (
	"encoding/json"
	"math"
	"testing"
)

// What is too long must not become negative: a drain with a negative deadline
// ends everything at once.
func TestDurationOfJSON(t *testing.T) {
	for text, want := range map[string]Duration{
		`"1m30s"`: 90e9, `""`: 0, `5e9`: 5e9, `1.0`: 1, `1500000000.7`: 1500000000, `-1`: -1,
		`9223372036854775807`: math.MaxInt64, `-9223372036854775808`: math.MinInt64, `9007199254740993`: 9007199254740993,
	} {
		var d Duration
		if err := json.Unmarshal([]byte(text), &d); err != nil || d != want {
			t.Errorf("%s: %d (%v), want %d", text, d, err, want)
		}
	}
	for _, text := range []string{`9223372036854775808`, `-9223372036854775809e1`, `1e300`, `-1e300`, `"1 day"`, `{}`, `true`} {
		var d Duration
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s: %d, want an error", text, d)
		}
	}
}
