package api

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/cronexpr"
)

// Expressions gives the cron expressions of the block.
func (p *PeriodicConfig) Expressions() []string {
	if p.Spec != "" {
		return []string{p.Spec}
	}
	return p.Specs
}

// Next gives the first time after a time at which a run is due, with the
// resolution of a second; the zero time when there is none any more. Errors are
// of kind ErrInvalid.
//
// The expressions are read on the clock of the time zone. Where that clock is
// put forward, a run whose time is skipped is due that much later; where it is
// put back, the run at a time that comes twice is due the first time. An
// expression for every hour goes on by the hour through both.
func (p *PeriodicConfig) Next(after time.Time) (time.Time, error) {
	c, err := p.compile()
	if err != nil {
		return time.Time{}, err
	}
	return c.next(after), nil
}

// Last gives the last time in (after, until] at which a run was due; the zero
// time when there was none.
func (p *PeriodicConfig) Last(after, until time.Time) (time.Time, error) {
	c, err := p.compile()
	if err != nil {
		return time.Time{}, err
	}
	if first := c.next(after); first.IsZero() || first.After(until) {
		return time.Time{}, nil
	}
	// What is next lies in the range before the last run, and not from it on.
	low, high := after.Unix(), until.Unix()
	for low+1 < high {
		middle := low + (high-low)/2
		if t := c.next(time.Unix(middle, 0)); !t.IsZero() && !t.After(until) {
			low = middle
		} else {
			high = middle
		}
	}
	return c.next(time.Unix(low, 0)), nil
}

// crons are the expressions of a block on the clock of a zone.
type crons struct {
	list []*cron
	zone *time.Location
}

func (p *PeriodicConfig) compile() (*crons, error) {
	zone, err := zoneOf(p.TimeZone)
	if err != nil {
		return nil, Errorf(ErrInvalid, "time_zone %q is not known", clip(p.TimeZone))
	}
	out := &crons{zone: zone}
	for _, text := range p.Expressions() {
		c, err := parseCron(text)
		if err != nil {
			return nil, Errorf(ErrInvalid, "cron %q: %v", clip(text), err)
		}
		out.list = append(out.list, c)
	}
	return out, nil
}

func (c *crons) next(after time.Time) time.Time {
	var next time.Time
	for _, x := range c.list {
		if t := x.next(after.In(c.zone)); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// zones keeps time zones that were asked for: each is read from a file. There
// are no more than there are files.
var zones sync.Map // name → *time.Location

func zoneOf(name string) (*time.Location, error) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err == nil {
		zones.Store(name, z)
	}
	return z, err
}

// cron is one expression.
type cron struct {
	expr   *cronexpr.Expression
	hourly bool // names every hour
}

// cronFields are the fields of an expression with 5, 6 and 7 of them.
var cronFields = map[int][]string{
	5: {"minute", "hour", "day of month", "month", "day of week"},
	6: {"minute", "hour", "day of month", "month", "day of week", "year"},
	7: {"second", "minute", "hour", "day of month", "month", "day of week", "year"},
}

var cronAliases = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"}

// parseCron reads an expression; errors name the part that is wrong.
func parseCron(text string) (*cron, error) {
	fields := strings.Fields(text)
	if len(text) > maxCronSize {
		return nil, fmt.Errorf("has %d characters; at most %d are allowed", len(text), maxCronSize)
	}
	if strings.HasPrefix(text, "@") {
		if !slices.Contains(cronAliases, text) {
			return nil, fmt.Errorf("is not one of %s", strings.Join(cronAliases, ", "))
		}
		expr, err := cronexpr.Parse(text)
		return &cron{expr: expr, hourly: text == "@hourly"}, err
	}
	names := cronFields[len(fields)]
	if names == nil {
		return nil, fmt.Errorf("has %d fields; it needs 5 (minute, hour, day of month, month, day of week), 6 (and year) or 7 (second before them)", len(fields))
	}
	expr, err := cronexpr.Parse(text)
	if err != nil {
		return nil, cronFault(text, fields, names, err)
	}
	if err := rangesRise(text, fields, names); err != nil {
		return nil, err
	}
	return &cron{expr: expr, hourly: fields[slices.Index(names, "hour")] == "*"}, nil
}

// cronFault finds the field that makes an expression unreadable, by trying each
// alone.
func cronFault(text string, fields, names []string, err error) error {
	column := 0
	for i, f := range fields {
		column += strings.Index(text[column:], f)
		alone := make([]string, len(fields))
		for j := range alone {
			alone[j] = "*"
		}
		alone[i] = f
		if _, e := cronexpr.Parse(strings.Join(alone, " ")); e != nil {
			return fmt.Errorf("field %d (%s), column %d: %q cannot be read: %w", i+1, names[i], column+1, clip(f), e)
		}
		column += len(f)
	}
	return err
}

// rangesRise refuses ranges that end before they begin: they hold nothing, and
// the library does not expect that.
func rangesRise(text string, fields, names []string) error {
	column := 0
	for i, f := range fields {
		column += strings.Index(text[column:], f)
		for part := range strings.SplitSeq(f, ",") {
			bounds, _, _ := strings.Cut(part, "/")
			low, high, ok := strings.Cut(bounds, "-")
			if ok && cronNumber(low) > cronNumber(high) {
				return fmt.Errorf("field %d (%s), column %d: %q ends before it begins; write it as two ranges", i+1, names[i], column+1, clip(part))
			}
		}
		column += len(f)
	}
	return nil
}

var cronNames = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// cronNumber gives the number of a value; names of months and of days are only
// ever compared among themselves.
func cronNumber(text string) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	text = strings.ToLower(text)
	if len(text) > 3 {
		text = text[:3]
	}
	n := slices.Index(cronNames, text)
	if n >= 12 {
		return n - 12 // Sunday is 0
	}
	return n + 1
}

// maxCronSize is how long an expression may be.
const maxCronSize = 1024

// next gives the first run after a time that carries its zone.
func (c *cron) next(after time.Time) time.Time {
	in := after // a moment of the stretch of time that is looked at
	for {
		start, end := in.ZoneBounds()
		if !end.IsZero() && !end.After(in) {
			end = in.Add(mostOffset) // what Go says at the end of some leap years is over already
		}
		t := c.within(after, in, start)
		if t.IsZero() || end.IsZero() || t.Before(end) {
			return t
		}
		in, after = end, end.Add(-time.Second)
		if far := t.Add(-mostOffset); far.After(end) {
			in, after = far, far // no other offset makes it due any sooner
		}
	}
}

// mostOffset is more than two clocks of one place ever differ.
const mostOffset = 48 * time.Hour

// within gives the first run after a time, if the offset that the zone has at
// the moment in, since start, stayed for ever.
func (c *cron) within(after, in, start time.Time) time.Time {
	_, now := in.Zone()
	before := now
	if !start.IsZero() {
		_, before = start.Add(-time.Second).In(in.Location()).Zone()
	}
	from := after
	if back := time.Duration(before-now) * time.Second; back > 0 && !c.hourly {
		// Until then the clock shows times that have been already.
		if again := start.Add(back - time.Second); from.Before(again) {
			from = again
		}
	}
	t := c.onClock(from, now)
	if skipped := time.Duration(now-before) * time.Second; skipped > 0 && !c.hourly && after.Before(start.Add(skipped)) {
		// Runs at times that the clock has skipped come as if it had not.
		late := c.onClock(after, before)
		if !late.IsZero() && late.Before(start.Add(skipped)) && (t.IsZero() || late.Before(t)) {
			t = late
		}
	}
	return t
}

// onClock gives the first run after a time on a clock that is offset seconds
// ahead of UTC for ever.
func (c *cron) onClock(after time.Time, offset int) (next time.Time) {
	ahead := time.Duration(offset) * time.Second
	defer func() {
		if recover() != nil { // the library's: a run that cannot be found is none
			next = time.Time{}
		}
	}()
	t := c.expr.Next(after.UTC().Add(ahead))
	if t.IsZero() {
		return t
	}
	return t.Add(-ahead).In(after.Location())
}

// expressions checks the expressions, and that one of them ever comes.
func (v *validator) expressions(at spot, p *PeriodicConfig) {
	readable := true
	check := func(at spot, text string) {
		if _, err := parseCron(text); err != nil {
			readable = false
			v.addf(at, "%q %v", clip(text), err)
		}
	}
	if p.Spec != "" {
		check(at.field("Spec", "cron"), p.Spec)
	}
	if len(p.Specs) > maxCrons {
		v.addf(at.field("Specs", "crons"), "has %d expressions; at most %d are allowed", len(p.Specs), maxCrons)
		return
	}
	for i, text := range p.Specs {
		check(at.field("Specs", "crons").index(i), text)
	}
	if !readable || len(p.Expressions()) == 0 {
		return
	}
	if next, err := p.Next(time.Now()); err == nil && next.IsZero() {
		v.addf(at, "never comes due: no day from now on fits")
	}
}

// maxCrons is how many expressions a job may have.
const maxCrons = 64
