package command

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
)

// shortID is how many characters of an ID are shown without -verbose.
const shortID = 8

// id shortens an ID unless everything is to be shown.
func id(s string, verbose bool) string {
	if verbose || len(s) <= shortID {
		return s
	}
	return s[:shortID]
}

// timestamp gives a time as people and tools both read it.
func timestamp(t time.Time) string {
	if t.IsZero() || t.Unix() <= 0 {
		return "N/A"
	}
	return t.Local().Format(time.RFC3339)
}

// nano gives the time of Unix nanoseconds.
func nano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// ago tells how long ago something was, in its two largest units.
func ago(t, now time.Time) string {
	if t.IsZero() || t.Unix() <= 0 {
		return "N/A"
	}
	d := now.Sub(t)
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	var parts []string
	for _, u := range units {
		if n := d / u.size; n > 0 && len(parts) < 2 {
			parts = append(parts, strconv.FormatInt(int64(n), 10)+u.name)
		} else if len(parts) > 0 {
			break
		}
		d %= u.size
	}
	if len(parts) == 0 {
		return "0s"
	}
	return strings.Join(parts, "")
}

// when gives a time in full with -verbose and as "3m ago" without.
func when(t time.Time, verbose bool) string {
	if verbose {
		return timestamp(t)
	}
	return ago(t, time.Now())
}

// size gives a number of bytes in the unit that suits it.
func size(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	text := strconv.FormatFloat(v, 'f', 1, 64)
	return strings.TrimSuffix(text, ".0") + " " + units[i]
}

const mebibyte = 1 << 20

// sorted gives the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// yesNo words a switch.
func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// count words a number of things.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// plural words a number of things whose plural is not made with an s.
func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
}

// newestFirst sorts allocations by when they were made, newest first.
func newestFirst(allocs []*api.AllocationListStub) {
	slices.SortStableFunc(allocs, func(a, b *api.AllocationListStub) int {
		return cmp.Or(cmp.Compare(b.CreateIndex, a.CreateIndex), cmp.Compare(b.ModifyIndex, a.ModifyIndex), cmp.Compare(a.Name, b.Name))
	})
}

func parseInt(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", s)
	}
	return n, nil
}

func secret(s string) api.Sensitive { return api.Sensitive(s) }
