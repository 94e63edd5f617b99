package api

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Duration is a span of time. JSON writes it in nanoseconds, as an integer;
// it reads an integer (nanoseconds) or a string such as "1m30s".
type Duration time.Duration

// String gives the duration as time.Duration does.
func (d Duration) String() string { return time.Duration(d).String() }

// Std gives the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// MarshalJSON writes nanoseconds.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(int64(d)) }

// UnmarshalJSON reads nanoseconds or a duration string; null leaves the value.
func (d *Duration) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		if s == "" {
			*d = 0
			return nil
		}
		v, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a duration; write it like \"30s\" or \"1h15m\"", s)
		}
		*d = Duration(v)
		return nil
	}
	if n, ok := wholeNumber(string(b)); ok {
		*d = Duration(n)
		return nil
	}
	var n float64
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("%s is not a duration; write it like \"30s\" or in nanoseconds", b)
	}
	if n < math.MinInt64 || n >= math.MaxInt64 { // as an integer it would have the other sign
		return fmt.Errorf("a duration of %s nanoseconds is longer than 292 years", b)
	}
	*d = Duration(n)
	return nil
}
