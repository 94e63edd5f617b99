package backup

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Saved is a snapshot in a target, by what its name tells.
type Saved struct {
	Cluster string // first characters of the cluster's ID
	Time    time.Time
	Index   uint64 // of the last log entry in it
}

const stamp = "20060102T150405Z"

var pattern = regexp.MustCompile(`^serai-([0-9a-f]{8})-([0-9]{8}T[0-9]{6}Z)-([0-9]{1,20})\.snap$`)

// Name gives the name of the snapshot's file or object. Names of one cluster
// sort by time.
func (s Saved) Name() string {
	return fmt.Sprintf("serai-%s-%s-%012d.snap", s.Cluster, s.Time.UTC().Format(stamp), s.Index)
}

// parseName reads a name; false when it is not one of ours.
func parseName(name string) (Saved, bool) {
	m := pattern.FindStringSubmatch(name)
	if m == nil {
		return Saved{}, false
	}
	at, err := time.Parse(stamp, m[2])
	index, err2 := strconv.ParseUint(m[3], 10, 64)
	return Saved{Cluster: m[1], Time: at, Index: index}, err == nil && err2 == nil
}

// shortCluster gives the part of a cluster's ID that names carry.
func shortCluster(id string) string {
	out := make([]byte, 0, 8)
	for i := 0; i < len(id) && len(out) < 8; i++ {
		if c := id[i]; c >= '0' && c <= '9' || c >= 'a' && c <= 'f' {
			out = append(out, c)
		}
	}
	for len(out) < 8 {
		out = append(out, '0')
	}
	return string(out)
}

// of gives the snapshots of a cluster among names, the oldest first.
func of(cluster string, names []string) []Saved {
	var out []Saved
	for _, n := range names {
		if s, ok := parseName(n); ok && s.Cluster == cluster && s.Name() == n {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Saved) int { return a.Time.Compare(b.Time) })
	return out
}
