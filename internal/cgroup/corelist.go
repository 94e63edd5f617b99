package cgroup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ParseCores reads a list of ranges, "0-3,8"; an empty text is an empty list.
func ParseCores(text string) ([]uint16, error) {
	var out []uint16
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		first, last, ranged := strings.Cut(part, "-")
		low, err := strconv.ParseUint(strings.TrimSpace(first), 10, 12)
		high := low
		if err == nil && ranged {
			high, err = strconv.ParseUint(strings.TrimSpace(last), 10, 12)
		}
		if err != nil || high < low {
			return nil, fmt.Errorf("%.80q is not a list of cores: write it like \"0-3,8\"", text)
		}
		for c := low; c <= high; c++ {
			out = append(out, uint16(c))
		}
	}
	return out, nil
}

// CoresWithin is whether part is a list of cores, of one at least, that are all in the list whole.
func CoresWithin(part, whole string) bool {
	want, err := ParseCores(part)
	if err != nil || len(want) == 0 {
		return false
	}
	have, err := ParseCores(whole)
	return err == nil && !slices.ContainsFunc(want, func(c uint16) bool { return !slices.Contains(have, c) })
}

// CommonCores gives the cores of the list own that are in the list share too, or share where there are none. An empty share is all cores.
func CommonCores(own, share string) string {
	a, err := ParseCores(own)
	if err != nil || len(a) == 0 {
		return share
	}
	if share == "" {
		return own
	}
	b, err := ParseCores(share)
	if err != nil {
		return share
	}
	var both []string
	for _, c := range a {
		if slices.Contains(b, c) {
			both = append(both, strconv.Itoa(int(c)))
		}
	}
	if len(both) == 0 {
		return share
	}
	return strings.Join(both, ",")
}
