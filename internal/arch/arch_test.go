package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/seraihq/serai"

// source is one Go file: its package folder and what it imports.
type source struct {
	path    string // from the root
	dir     string
	test    bool
	imports []string
	file    *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testdata" || name == "node_modules" || (strings.HasPrefix(name, ".") && path != root)) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(rel), dir: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(name, "_test.go"), file: file}
		for _, i := range file.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, p)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d sources found: the walk is broken", len(all))
	}
	return all
}

// under says whether a package folder is pkg or beneath it.
func under(dir, pkg string) bool { return dir == pkg || strings.HasPrefix(dir, pkg+"/") }

// own gives the folder of an import of this module.
func own(path string) (string, bool) { return strings.CutPrefix(path, module+"/") }

func TestArrows(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, i := range s.imports {
			dir, ok := own(i)
			if !ok {
				continue
			}
			switch {
			case s.dir == "api" && dir != "api":
				t.Errorf("%s imports %s: api depends on nothing of serai", s.path, dir)
			case s.dir == "drivers" && !under(dir, "internal"):
				t.Errorf("%s imports %s: the drivers SDK depends on nothing of serai", s.path, dir)
			case under(s.dir, "scheduler") && !under(dir, "api") && !under(dir, "scheduler"):
				t.Errorf("%s imports %s: the scheduler sees only api", s.path, dir)
			case under(s.dir, "server") && under(dir, "client"), under(s.dir, "client") && under(dir, "server"):
				t.Errorf("%s imports %s: server and client meet only in command/agent", s.path, dir)
			case !under(s.dir, "command") && under(dir, "command") && s.dir != ".":
				t.Errorf("%s imports %s: nothing stands on the commands", s.path, dir)
			case under(dir, "server") && under(s.dir, "command") && !under(s.dir, "command/agent"):
				t.Errorf("%s imports %s: only command/agent wires the server", s.path, dir)
			case under(dir, "client") && under(s.dir, "command") && !under(s.dir, "command/agent"):
				t.Errorf("%s imports %s: only command/agent wires the client", s.path, dir)
			}
		}
	}
}

// loops are the packages of the leader's duties: they meet only in the store.
var loops = []string{"server/broker", "server/planner", "server/gc", "server/heartbeat", "server/events", "server/deploy", "server/drain", "server/periodic", "server/autopilot"}

func TestLoopsMeetInTheStore(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !slices.Contains(loops, s.dir) {
			continue
		}
		for _, i := range s.imports {
			// The planner takes its work from the broker's queue: that one arrow is meant.
			if dir, ok := own(i); ok && slices.Contains(loops, dir) && dir != s.dir && !(s.dir == "server/planner" && dir == "server/broker") {
				t.Errorf("%s imports %s: a shared need is a table in the store", s.path, dir)
			}
		}
	}
}

// heavy libraries have one importing package each; the rest sees our own type.
var heavy = map[string][]string{
	"github.com/hashicorp/raft":                   {"server/consensus"},
	"github.com/hashicorp/raft-wal":               {"server/consensus"},
	"github.com/hashicorp/serf":                   {"server/gossip"},
	"github.com/hashicorp/memberlist":             {"server/gossip"},
	"github.com/hashicorp/go-msgpack":             {"server/gossip"},
	"github.com/hashicorp/go-plugin":              {"drivers/plugin"},
	"github.com/opencontainers/runc/libcontainer": {"drivers/internal/contain"},
	"github.com/hashicorp/hcl/v2":                 {"jobspec", "internal/hclx"},
	"github.com/google/go-containerregistry":      {"drivers/container/image"},
	"github.com/hashicorp/go-bexpr":               {"server/endpoint"},
	"github.com/hashicorp/go-metrics":             {"internal/telemetry"},
	"github.com/armon/go-metrics":                 {"internal/telemetry"},
	"go.etcd.io/bbolt":                            {"client/store"},
	"github.com/go-jose/go-jose":                  {"server/keyring"},
	"github.com/fxamacker/cbor":                   {"internal/wire"},
	"github.com/moby/moby":                        {"drivers/docker"},
	"github.com/vishvananda/netlink":              {"client/network"},
	"github.com/google/nftables":                  {"client/network"},
	"github.com/mdlayher/netlink":                 {"client/network"},
	"github.com/containernetworking/cni":          {"client/network/cni"},
	"github.com/hashicorp/consul-template":        {"client/template/render"},
	"github.com/aws/aws-sdk-go-v2":                {"client/artifact/fetch", "internal/bucket"},
	"go.opentelemetry.io/otel":                    {"internal/trace"},
	"github.com/ulikunitz/xz":                     {"client/artifact/fetch"},
	"github.com/hashicorp/go-getter":              {}, // see docs/adr/0012
	"github.com/hashicorp/nomad":                  {}, // tests only
}

func TestHeavyLibrariesHaveOneDoor(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, i := range s.imports {
			for library, doors := range heavy {
				if i != library && !strings.HasPrefix(i, library+"/") {
					continue
				}
				if !slices.ContainsFunc(doors, func(door string) bool { return under(s.dir, door) }) && !under(s.dir, "e2e") {
					t.Errorf("%s imports %s: its door is %v", s.path, i, doors)
				}
			}
		}
	}
}

func TestPackagesAreNamedForWhatTheyHold(t *testing.T) {
	banned := []string{"util", "utils", "common", "helper", "helpers", "structs", "types", "models", "base", "misc"}
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if !s.test && s.file.Doc != nil {
			documented[s.dir] = true
		}
	}
	seen := map[string]bool{}
	for _, s := range sources(t) {
		if s.test || seen[s.dir] {
			continue
		}
		seen[s.dir] = true
		if slices.Contains(banned, s.file.Name.Name) && !strings.Contains(s.dir, "internal/wire/") {
			t.Errorf("%s: a package called %s says nothing of what it holds", s.dir, s.file.Name.Name)
		}
		if !documented[s.dir] && !strings.Contains(s.dir, "internal/wire/") {
			t.Errorf("%s has no package comment", s.dir)
		}
	}
}

// TestErrorsAreKindsNotTexts looks for comparisons of an error's text.
func TestErrorsAreKindsNotTexts(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || len(call.Args) < 1 {
				return true
			}
			if x, ok := fun.X.(*ast.Ident); !ok || x.Name != "strings" || !slices.Contains([]string{"Contains", "HasPrefix", "HasSuffix", "EqualFold"}, fun.Sel.Name) {
				return true
			}
			inner, ok := call.Args[0].(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := inner.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Error" && len(inner.Args) == 0 {
				t.Errorf("%s compares the text of an error: use errors.Is with a kind", s.path)
			}
			return true
		})
	}
}

// TestNoBlankRegistration: lists are written out, no import has effects.
func TestNoBlankRegistration(t *testing.T) {
	allowed := map[string]bool{
		"embed": true,
		"github.com/opencontainers/runc/libcontainer/nsenter": true, // its C constructor is how libcontainer enters namespaces
		"github.com/opencontainers/cgroups/devices":           true, // installs the device rules of cgroups
	}
	for _, s := range sources(t) {
		for _, i := range s.file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if i.Name != nil && i.Name.Name == "_" && !allowed[path] {
				t.Errorf("%s imports %s for its effects", s.path, path)
			}
		}
	}
}

func TestNoFileNamesThisPlace(t *testing.T) {
	root := os.DirFS(filepath.Join("..", ".."))
	// Written in parts, so that this file does not hold them itself.
	words := []string{"/wor" + "k/", "/fa" + "rm/", "proxy.gola" + "ng.org", "registry.npm" + "js", "deb.deb" + "ian.org"}
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == ".git" && !d.IsDir() {
			return nil // a second working tree names the first
		}
		if d.IsDir() {
			if path == ".git" || d.Name() == "node_modules" || path == "bin" {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > 1<<20 {
			return err
		}
		data, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		for _, w := range words {
			if strings.Contains(string(data), w) {
				t.Errorf("%s holds %q: the project names no machine's paths and no registry", path, w)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
