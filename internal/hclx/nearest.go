package hclx

import (
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest gives the known name that a mistyped one most likely meant, or "".
// Case, dashes and underscores count little; a prefix of at least three characters counts.
func Nearest(name string, known []string) string {
	if name == "" || len(name) > 64 {
		return ""
	}
	want := fold(name)
	best, bestDistance := "", 1+max(1, (len(want)+1)/3)
	for _, k := range known {
		have := fold(k)
		d := levenshtein.Distance(want, have, nil)
		if len(want) >= 3 && (strings.HasPrefix(have, want) || strings.HasPrefix(want, have) && len(have) >= 3) {
			d = min(d, 1)
		}
		if d < bestDistance || d == bestDistance && best != "" && k < best {
			best, bestDistance = k, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(s))
}
