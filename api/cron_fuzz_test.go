package api

import (
	"testing"
	"time"
)

// FuzzCron reads any text and looks for what is due next: forward, and soon.
func FuzzCron(f *testing.F) {
	for _, s := range []string{"* * * * *", "*/15 2-3 L * MON#2", "0 0 15W * *", "@daily", "59 59 23 31 12 * 2099", "*/0 * * * *", "1-0 * * * *", "0 0 31 2 *"} {
		f.Add(s, int64(1_770_000_000))
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, at int64) {
		c, err := parseCron(text)
		if err != nil {
			return
		}
		from := time.Unix(at%4_000_000_000, 0).In(berlin)
		found := make(chan time.Time, 1)
		go func() { found <- c.next(from) }()
		select {
		case next := <-found:
			if !next.IsZero() && !next.After(from) {
				t.Fatalf("%q: after %s comes %s", text, from, next)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%q: what comes after %s is not found", text, from)
		}
	})
}
