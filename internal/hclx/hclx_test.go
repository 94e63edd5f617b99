package hclx

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestQuotedNames(t *testing.T) {
	src := `client {
  options {
    "driver.raw_exec.enable" = "1" # on
    "a" = { "b" = 1, "c" : 2 }
  }
  chroot_env { "/bin" = "/bin" }
  list = [{ "x" = 1 }]
}
`
	f, ps := Parse("c.hcl", []byte(src), Limits{})
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	client := f.Body.(*hclsyntax.Body).Blocks[0].Body
	var names []string
	for _, b := range client.Blocks {
		for id := range b.Body.Attributes {
			names = append(names, f.Key(id))
		}
	}
	got := strings.Join(names, " ")
	for _, want := range []string{"driver.raw_exec.enable", "/bin", "a"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in %q", want, got)
		}
	}
	if len(names) != 3 {
		t.Errorf("names %q", names)
	}
}

func TestQuotedDuplicate(t *testing.T) {
	_, ps := Parse("c.hcl", []byte("m {\n  \"a.b\" = 1\n  \"a.b\" = 2\n}\n"), Limits{})
	if len(ps) != 1 || !strings.Contains(ps.Error(), `"a.b"`) || ps[0].Line != 3 {
		t.Fatalf("%v", ps)
	}
}

func TestBombs(t *testing.T) {
	n := 300_000
	for name, src := range map[string]string{
		"brackets":   "a = " + strings.Repeat("[", n),
		"blocks":     strings.Repeat("a {\n", n),
		"parens":     "a = " + strings.Repeat("(", n),
		"bangs":      "a = " + strings.Repeat("!", n) + "true",
		"minus":      "a = " + strings.Repeat("- ", n) + "1",
		"sum":        "a = 1" + strings.Repeat("+1", n),
		"sum parens": "a = (1" + strings.Repeat("+\n1", 90_000) + ")",
		"question":   "a = " + strings.Repeat("b?c:", n) + "1",
		"index":      "a = b" + strings.Repeat("[0]", n),
		"splat":      "a = b" + strings.Repeat("[*]", n),
		"interp":     "a = " + strings.Repeat(`"${`, n),
		"directive":  "a = \"" + strings.Repeat("%{if a}", 90_000) + "\"",
		"heredoc":    "a = <<X\n" + strings.Repeat("%{for a in b}\n", 30_000) + "X\n",
		"big":        strings.Repeat("#", 2<<20),
		"words":      strings.Repeat("a\n", 500_000),
		"number":     "a = 1e99999999\n",
		"small":      "a = 1e-0099999999\n",
		"digits":     "a = " + strings.Repeat("9", 1000) + "\n",
		"json num":   `{"a": 1E+99999999}`,
		"json":       `{"a":` + strings.Repeat("[", n),
		"json obj":   strings.Repeat(`{"a":`, n),
	} {
		t.Run(name, func(t *testing.T) {
			_, ps := Parse("bomb", []byte(src), Limits{})
			if ps.Err() == nil {
				t.Fatal("accepted")
			}
			if len(ps.Error()) > 1000 {
				t.Errorf("long message: %d bytes", len(ps.Error()))
			}
		})
	}
}

func TestManyHarmlessPartsAccepted(t *testing.T) {
	var b strings.Builder
	for range 2000 {
		b.WriteString("a {\n  b = \"${x}%{ if y }z%{ endif }\" # comment\n  c = [1, 2] // more\n}\n")
	}
	if _, ps := Parse("ok.hcl", []byte(b.String()), Limits{}); ps.Err() != nil {
		t.Fatal(ps[0])
	}
}

func TestProblemText(t *testing.T) {
	f, _ := Parse("web.hcl", []byte("job \"x\" {\n\tgruop \"y\" {}\n}\n"), Limits{})
	block := f.Body.(*hclsyntax.Body).Blocks[0].Body.Blocks[0]
	p := f.At(block.TypeRange, "unknown block %q", "gruop")
	p.Suggest = Nearest("gruop", []string{"group", "task", "update"})
	if got, want := p.Error(), `web.hcl:2,2: unknown block "gruop"; did you mean "group"?`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := p.Snippet(), "   2 | \tgruop \"y\" {}\n     | \t^\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"enabled", "data_dir", "datacenter", "bind_addr", "log_level", "server_join"}
	for in, want := range map[string]string{
		"enable": "enabled", "dataDir": "data_dir", "bind-addr": "bind_addr", "loglevel": "log_level",
		"datacentre": "datacenter", "xyzzy": "", "": "", "join": "",
	} {
		if got := Nearest(in, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a { \"b\" = 1\n}"))
	f.Add([]byte(`{"a":[{"b":1}]}`))
	f.Add([]byte("a = <<-X\n %{ if a }x%{ endif }\n X\n"))
	f.Add([]byte("a = <<-X\n${000}0000\nX\n")) // a number between texts was taken for a text
	f.Add([]byte("a = \"x${null}y${true}\"\n"))
	if src, err := os.ReadFile("testdata/agent.hcl"); err == nil {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		slow := time.AfterFunc(5*time.Second, func() { panic(fmt.Sprintf("slow: %q", src)) })
		defer slow.Stop()
		file, ps := Parse("fuzz", src, Limits{})
		for _, p := range ps {
			_ = p.Error() + p.Snippet()
		}
		if ps.Err() == nil && file.Body == nil {
			t.Fatal("no problem and no body")
		}
		if ps.Err() == nil {
			if _, more := file.Tree(); more.Err() == nil && more != nil {
				t.Log(more)
			}
		}
	})
}

// Many quoted names and many problems cost time in proportion.
func TestManyQuotedNames(t *testing.T) {
	var b strings.Builder
	b.WriteString("a {\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "\"q.%d\" = 1\n", i)
	}
	for range 10_000 {
		b.WriteString("b = 1\n")
	}
	b.WriteString("\"q.7\" = 1\n}\n")
	slow := time.AfterFunc(20*time.Second, func() { panic("slow") })
	defer slow.Stop()
	_, ps := Parse("many.hcl", []byte(b.String()), Limits{})
	if len(ps) != 10_000 || !strings.Contains(ps[len(ps)-1].Error(), `"q.7"`) {
		t.Fatalf("%d problems, the last is %v", len(ps), ps[len(ps)-1])
	}
}
