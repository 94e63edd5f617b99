package api

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/compat.md names every block that is refused or has no effect: the jobs
// of the tests before have them all.
func TestCompatibilityPageIsComplete(t *testing.T) {
	page, err := os.ReadFile("../docs/compat.md")
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile("testdata/everything.json")
	if err != nil {
		t.Fatal(err)
	}
	j := &Job{}
	if err := json.Unmarshal(src, j); err != nil {
		t.Fatal(err)
	}
	texts := j.Warnings()
	for _, p := range j.NotBuilt() {
		texts = append(texts, p.Text)
	}
	if len(texts) < 15 {
		t.Errorf("only %d blocks are named", len(texts))
	}
	scope := regexp.MustCompile(`^((group|task) "[^"]*": )+`)
	for _, text := range texts {
		name, _, _ := strings.Cut(scope.ReplaceAllString(text, ""), " ")
		parts := strings.Split(name, ".")
		for len(parts) > 1 && (parts[0] == "volume" || parts[len(parts)-1] == "mode") {
			parts = parts[:1]
		}
		if block := "`" + parts[len(parts)-1]; !strings.Contains(string(page), block) {
			t.Errorf("%s… is not in docs/compat.md: %s", block, text)
		}
	}
}
