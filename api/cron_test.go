package api

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestCronOverClockChanges lists the runs that are due in a stretch of time, in
// UTC.
func TestCronOverClockChanges(t *testing.T) {
	const berlinSpring, berlinFall = "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"     // 02:00 → 03:00, 03:00 → 02:00
	const newYorkSpring, newYorkFall = "2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"   // 02:00 → 03:00, 02:00 → 01:00
	const lordHoweSpring, lordHoweFall = "2026-10-03T15:30:00Z", "2026-04-04T15:00:00Z" // by half an hour
	for _, c := range []struct {
		zone, cron, from string
		hours            int
		want             string
	}{
		{"Europe/Berlin", "30 2 * * *", berlinSpring, 40, "29T01:30 30T00:30"},   // skipped: half past three
		{"Europe/Berlin", "0 2 * * *", berlinSpring, 40, "29T01:00 30T00:00"},    // skipped: at three
		{"Europe/Berlin", "59 1 * * *", berlinSpring, 40, "29T00:59 29T23:59"},   // before it
		{"Europe/Berlin", "0 3 * * *", berlinSpring, 40, "29T01:00 30T01:00"},    // after it
		{"Europe/Berlin", "30 2,3 * * *", berlinSpring, 16, "29T01:30"},          // two that fall together
		{"Europe/Berlin", "0,30 2 * * *", berlinSpring, 16, "29T01:00 29T01:30"}, // both
		{"Europe/Berlin", "0 * * * *", berlinSpring, 3, "29T00:00 29T01:00 29T02:00 29T03:00 29T04:00"},
		{"Europe/Berlin", "30 2 * * *", berlinFall, 40, "25T00:30 26T01:30"}, // the first of two
		{"Europe/Berlin", "0 2 * * *", berlinFall, 40, "25T00:00 26T01:00"},
		{"Europe/Berlin", "0 3 * * *", berlinFall, 40, "25T02:00 26T02:00"},
		{"Europe/Berlin", "*/30 2-3 * * *", berlinFall, 16, "25T00:00 25T00:30 25T02:00 25T02:30"},
		{"Europe/Berlin", "*/30 * * * *", berlinFall, 1, "24T23:30 25T00:00 25T00:30 25T01:00 25T01:30 25T02:00"},
		{"America/New_York", "30 2 * * *", newYorkSpring, 40, "08T07:30 09T06:30"},
		{"America/New_York", "30 1 * * *", newYorkFall, 40, "01T05:30 02T06:30"},
		{"America/New_York", "0 1 * * 0", newYorkFall, 16, "01T05:00"},
		{"America/New_York", "15 * * * *", newYorkFall, 2, "01T04:15 01T05:15 01T06:15 01T07:15"},
		{"Australia/Lord_Howe", "15 2 * * *", lordHoweSpring, 40, "03T15:45 04T15:15"},
		{"Australia/Lord_Howe", "45 1 * * *", lordHoweFall, 40, "04T14:45 05T15:15"},
		{"Europe/Berlin", "*/30 2 L * *", "2052-12-31T01:00:00Z", 2, "31T01:00 31T01:30"}, // Go's bounds end there
		{"UTC", "@daily", berlinSpring, 48, "29T00:00 30T00:00 31T00:00"},
		{"Europe/Berlin", "@hourly", berlinFall, 1, "25T00:00 25T01:00 25T02:00"},
	} {
		p := &PeriodicConfig{Spec: c.cron, TimeZone: c.zone}
		around, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := runs(t, p, around.Add(-2*time.Hour+time.Second), around.Add(time.Duration(c.hours)*time.Hour)); got != c.want {
			t.Errorf("%s in %s around %s:\n got %s\nwant %s", c.cron, c.zone, c.from, got, c.want)
		}
	}
}

func runs(t *testing.T, p *PeriodicConfig, from, until time.Time) string {
	t.Helper()
	var out []string
	for {
		next, err := p.Next(from)
		if err != nil {
			t.Fatal(err)
		}
		if next.IsZero() || next.After(until) {
			return strings.Join(out, " ")
		}
		if !next.After(from) {
			t.Fatalf("after %s comes %s", from, next)
		}
		out = append(out, next.UTC().Format("02T15:04"))
		from = next
	}
}

// TestCronAgainstClock compares with a walk over every minute around the clock
// changes of a year: what is shown by the clock for the first time is due.
func TestCronAgainstClock(t *testing.T) {
	specs := []string{"30 2 * * *", "*/20 1-3 * * *", "0 2 * * 0", "15 * * * *", "7 0,23 * * *", "0 12 29 3 *"}
	for _, name := range []string{"Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Africa/Casablanca"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range specs {
			at := time.Date(2018, 1, 1, 0, 0, 0, 0, zone)
			for range 2 {
				_, at = at.ZoneBounds()
				walk(t, &PeriodicConfig{Spec: spec, TimeZone: name}, at.Add(-36*time.Hour), at.Add(36*time.Hour))
			}
		}
	}
}

func walk(t *testing.T, p *PeriodicConfig, at, until time.Time) {
	c, err := parseCron(p.Spec)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	next, _ := p.Next(at.Add(-time.Second))
	for ; at.Before(until); at = at.Add(time.Minute) {
		text := at.Format("2006-01-02T15:04")
		fits := c.onClock(at.Add(-time.Second), offset(at)).Equal(at)
		due := fits && (c.hourly || !shown[text])
		shown[text] = true
		if due && !next.Equal(at) {
			t.Fatalf("%s in %s: %s is due, next is %s", p.Spec, p.TimeZone, at, next)
		}
		if next.Equal(at) {
			if before := offset(at.Add(-2 * time.Hour)); !due && (c.hourly || before >= offset(at)) {
				t.Fatalf("%s in %s: %s is not due", p.Spec, p.TimeZone, at)
			}
			next, _ = p.Next(at)
		}
	}
}

func offset(t time.Time) int { _, n := t.Zone(); return n }

func TestCronLast(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, spec := range []string{"* * * * * * *", "*/15 * * * *", "30 2 * * *", "0 0 29 2 *"} {
		p := &PeriodicConfig{Spec: spec, TimeZone: "Europe/Berlin"}
		for range 30 {
			from := time.Unix(1_770_000_000+random.Int64N(40_000_000), random.Int64N(1e9))
			until := from.Add(time.Duration(random.Int64N(int64(2 * time.Hour))))
			var want time.Time
			for at := from; ; {
				next, err := p.Next(at)
				if err != nil {
					t.Fatal(err)
				}
				if next.IsZero() || next.After(until) {
					break
				}
				want, at = next, next
			}
			got, err := p.Last(from, until)
			if err != nil || !got.Equal(want) {
				t.Fatalf("%s in (%s, %s]: %s, want %s (%v)", spec, from, until, got, want, err)
			}
		}
	}
	// Years of seconds cost no more than an hour of them.
	p := &PeriodicConfig{Spec: "* * * * * * *", TimeZone: "UTC"}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	if got, err := p.Last(now.AddDate(-10, 0, 0), now); err != nil || !got.Equal(now) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestCronFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "has 0 fields",
		"* * * *":                 "has 4 fields",
		"* * * * * * * *":         "has 8 fields",
		"*/15 99 * * *":           `field 2 (hour), column 6: "99"`,
		"61 * * * *":              `field 1 (minute), column 1: "61"`,
		"0  0  32 * *":            `field 3 (day of month), column 7: "32"`,
		"0 0 * * blue":            `field 5 (day of week), column 9: "blue"`,
		"* * * * * * 1800":        `field 7 (year), column 13: "1800"`,
		"2-1 1 1 1 0":             `field 1 (minute), column 1: "2-1" ends before it begins`,
		"0 0 * * 1,sat-sun":       `field 5 (day of week), column 9: "sat-sun" ends`,
		"@sometimes":              "is not one of @yearly",
		strings.Repeat("*", 2000): "at most 1024",
	} {
		_, err := parseCron(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	j := &Job{Type: JobTypeBatch, Periodic: &PeriodicConfig{Enabled: true, TimeZone: "UTC", Specs: []string{"@daily", "x 1 * * *"}}}
	v := &validator{job: j}
	v.periodic(spot{}.field("Periodic", "periodic"), j.Periodic)
	if len(v.problems) != 1 || v.problems[0].Path != "Periodic.Specs[1]" {
		t.Errorf("got %+v", v.problems)
	}
	j.Periodic.Specs = []string{"0 0 30 2 *"}
	v.problems = nil
	v.periodic(spot{}, j.Periodic)
	if len(v.problems) != 1 || !strings.Contains(v.problems[0].Text, "never comes due") {
		t.Errorf("got %+v", v.problems)
	}
}
