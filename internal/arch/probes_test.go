package arch

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProbesAreListed: docs/confinement.md names no test that is not there, and leaves out no probe.
func TestProbesAreListed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "confinement.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test && f.Recv == nil {
				there[f.Name.Name] = true
			}
		}
	}
	named := map[string]bool{}
	for _, name := range regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z]+)`").FindAllStringSubmatch(string(text), -1) {
		if named[name[1]] = true; !there[name[1]] {
			t.Errorf("docs/confinement.md names %s, which is not there", name[1])
		}
	}
	for name := range there {
		if probe, ok := strings.CutPrefix(name, "TestEscape"); ok && probe != "" && !named[name] {
			t.Errorf("the probe %s is not in docs/confinement.md", name)
		}
	}
}
