package driverset

import "github.com/hashicorp/go-version"

// newer is whether version a is later than b. Prereleases come before their release; what is no version at all comes before everything.
func newer(a, b string) bool {
	va, errA := version.NewVersion(a)
	vb, errB := version.NewVersion(b)
	switch {
	case errA != nil:
		return false
	case errB != nil:
		return true
	}
	return va.GreaterThan(vb)
}
