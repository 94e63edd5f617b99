package failpoint

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every place in the sources is listed, and every listed one is there: alone, or as one of those that a common beginning names.
func TestPlaces(t *testing.T) {
	call := regexp.MustCompile(`failpoint\.Kill\("([^"]+)"( \+ )?`)
	all := All()
	found := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range call.FindAllStringSubmatch(string(text), -1) {
			place, several := m[1], m[2] != ""
			here := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p != place && !(several && strings.HasPrefix(p, place)) })
			if len(here) == 0 {
				t.Errorf("%s: place %q is not listed in places.go", path, place)
			}
			for _, p := range here {
				found[p] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		if !found[p] {
			t.Errorf("place %q is listed, and nowhere in the sources", p)
		}
		if slices.Contains(all[:i], p) {
			t.Errorf("place %q is listed twice", p)
		}
	}
}
