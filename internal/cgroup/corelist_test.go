package cgroup

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCores(t *testing.T) {
	for text, want := range map[string][]uint16{"": nil, "0": {0}, "0-2,7": {0, 1, 2, 7}, " 3 , 5-5 ": {3, 5}} {
		got, err := ParseCores(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %s %v", text, diff, err)
		}
	}
	for _, text := range []string{"a", "3-1", "-1", "1-", "99999"} {
		if _, err := ParseCores(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestCommonCores(t *testing.T) {
	for _, c := range [][3]string{{"0-1", "", "0-1"}, {"0,2", "1-2", "2"}, {"0", "1-3", "1-3"}, {"", "1", "1"}, {"odd", "1", "1"}} {
		if got := CommonCores(c[0], c[1]); got != c[2] {
			t.Errorf("%q of %q: %q", c[0], c[1], got)
		}
	}
	for _, c := range [][2]string{{"0-1", "0-3"}, {"3", "0-3"}} {
		if !CoresWithin(c[0], c[1]) {
			t.Errorf("%q is in %q", c[0], c[1])
		}
	}
	for _, c := range [][2]string{{"4", "0-3"}, {"", "0-3"}, {"x", "0-3"}, {"0-9999999", "0-3"}, {"0", "x"}} {
		if CoresWithin(c[0], c[1]) {
			t.Errorf("%q is not in %q", c[0], c[1])
		}
	}
}
