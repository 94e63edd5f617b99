package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// Level says how much a finding matters.
type Level string

// Levels, from the least to the worst.
const (
	OK    Level = "ok"    // looked at, and in order
	Warn  Level = "warn"  // works, and may not go on to, or is not safe everywhere
	Error Level = "error" // does not work, or is not safe
)

var order = map[Level]int{OK: 0, Warn: 1, Error: 2}

// Finding is what a check found.
type Finding struct {
	Check string // "tls.expiry"; does not change between versions
	Level Level
	What  string // one sentence, without a full stop
	Mend  string `json:",omitempty"` // what to do about it; of every finding that is not ok
}

// Report is what all checks found, the worst first.
type Report struct {
	Worst    Level
	Findings []Finding
}

// Code is the exit code that stands for the report: 0 all is well, 1 there are
// warnings, 2 there are errors.
func (r *Report) Code() int { return order[r.Worst] }

func (r *Report) add(check string, level Level, mend, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Check: check, Level: level, What: fmt.Sprintf(format, args...), Mend: mend})
}

func (r *Report) ok(check, format string, args ...any) { r.add(check, OK, "", format, args...) }

func (r *Report) warn(check, mend, format string, args ...any) {
	r.add(check, Warn, mend, format, args...)
}

func (r *Report) fail(check, mend, format string, args ...any) {
	r.add(check, Error, mend, format, args...)
}

// finish sorts the findings, the worst first and otherwise as they were found.
func (r *Report) finish() {
	r.Worst = OK
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(order[b.Level], order[a.Level]) })
	if len(r.Findings) > 0 {
		r.Worst = r.Findings[0].Level
	}
}
