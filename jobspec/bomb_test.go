package jobspec

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

// inJob puts an expression into a job.
func inJob(expr string) string {
	return "job \"a\" {\n  group \"g\" {\n    task \"t\" {\n      driver = \"exec\"\n      env {\n        X = " + expr + "\n      }\n    }\n  }\n}\n"
}

func withLocals(locals, expr string) string { return "locals {\n" + locals + "}\n" + inJob(expr) }

// chain declares n locals, each made of two of the one before.
func chain(n int, first, next string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  l0 = %s\n", first)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  l%d = %s\n", i, strings.ReplaceAll(next, "@", fmt.Sprintf("local.l%d", i-1)))
	}
	return b.String()
}

// reversed declares locals before those they need.
func reversed(locals string) string {
	lines := strings.Split(strings.TrimSuffix(locals, "\n"), "\n")
	slices.Reverse(lines)
	return strings.Join(lines, "\n") + "\n"
}

func nestedDynamic(levels, width int) string {
	var open, end strings.Builder
	for i := range levels {
		fmt.Fprintf(&open, "dynamic \"b%d\" {\nfor_each = range(%d)\ncontent {\n", i, width)
		end.WriteString("}\n}\n")
	}
	return "job \"a\" {\n  group \"g\" {\n    task \"t\" {\n      driver = \"exec\"\n      config {\n" + open.String() + "x = 1\n" + end.String() + "      }\n    }\n  }\n}\n"
}

func dynamicGroups(content string) string {
	return "job \"a\" {\n  dynamic \"group\" {\n    for_each = setproduct(range(95), range(95))\n    labels = [\"g\"]\n    content {\n" + content + "    }\n  }\n}\n"
}

func manyAttributes(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

var bombs = map[string]string{
	"format width":       inJob(`format("%1000000000d", 1)`),
	"format precision":   inJob(`format("%.999999999f", 1)`),
	"format many":        withLocals("  f = join(\"\", [for i in range(1000) : \"%[1]v%[1]v%[1]v\"])\n  v = join(\"\", [for i in range(1000) : \"0123456789012345678901234567890123456789\"])\n", "format(local.f, local.v)"),
	"formatlist":         inJob(`formatlist("%4000d", range(1000))...`),
	"setproduct":         inJob("setproduct(range(1000), range(1000))"),
	"setproduct many":    inJob("setproduct(range(100), range(100), range(100), range(100))"),
	"nested for":         inJob("[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]]"),
	"nested for count":   inJob("length([for a in range(1000) : length([for b in range(1000) : length([for c in range(1000) : a])])])"),
	"for object":         inJob(`{for a in setproduct(range(300), range(300)) : "${a[0]}-${a[1]}" => a}`),
	"doubling text":      withLocals(chain(40, `"0123456789"`, `"${@}${@}"`), "local.l39"),
	"doubling list":      withLocals(chain(40, "[1]", "[@, @]"), "jsonencode(local.l39)"),
	"doubling unused":    withLocals(chain(60, "[1]", "[@, @]"), `"x"`),
	"doubling object":    withLocals(chain(40, "{}", "{ a = @, b = @ }"), "jsonencode(local.l39)"),
	"doubling concat":    withLocals(chain(40, "[1]", "concat(@, @)"), "local.l39"),
	"doubling merge":     withLocals(chain(30, `{ x = "y" }`, `merge({ for k, v in @ : "a${k}" => v }, { for k, v in @ : "b${k}" => v })`), "local.l29"),
	"squaring":           withLocals(chain(40, "10", "@ * @"), "local.l39"),
	"small numbers":      withLocals(chain(40, "0.1", "@ * @"), "local.l39"),
	"join separator":     withLocals(chain(17, `"0123456789"`, `"${@}${@}"`), "join(local.l16, range(1000))"),
	"replace":            withLocals(chain(15, `"aaaaaaaaaa"`, `"${@}${@}"`), `replace(local.l14, "a", local.l14)`),
	"replace empty":      withLocals(chain(15, `"aaaaaaaaaa"`, `"${@}${@}"`), `replace(local.l14, "", local.l14)`),
	"regex replace":      withLocals(chain(15, `"aaaaaaaaaa"`, `"${@}${@}"`), `regex_replace(local.l14, "a", local.l14)`),
	"regex groups":       withLocals(chain(15, `"aaaaaaaaaa"`, `"${@}${@}"`), `regex_replace(local.l14, "(a*)", replace(local.l12, "a", "$1"))`),
	"regex states":       inJob(`regex_replace("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "(\\pL{1000}|a{1000}|b{1000}|c{1000})*", "")`),
	"regex work":         withLocals(chain(18, `"aaaaaaaaaa"`, `"${@}${@}"`), `regex_replace(local.l17, "(a|b|c|d|a|b|c|d|x{900}){1,2}y", "")`),
	"indent":             inJob(`indent(1000000000, "a\nb")`),
	"indent lines":       withLocals(chain(15, `"\n\n\n\n\n\n\n\n\n\n"`, `"${@}${@}"`), "indent(4000, local.l14)"),
	"split":              withLocals(chain(18, `"aaaaaaaaaa"`, `"${@}${@}"`), `split("", local.l17)`),
	"distinct":           inJob("distinct([for x in setproduct(range(100), range(100)) : x])"),
	"trim":               withLocals(chain(17, `"世世世世"`, `"${@}${@}"`), `trim(local.l16, "${local.l16}界")`),
	"csv":                withLocals(chain(18, `"a,b,c,d,e\n"`, `"${@}${@}"`), "csvdecode(local.l17)"),
	"csv columns":        withLocals(chain(15, `",,,,,,,,,"`, `"${@}${@}"`), `csvdecode("${local.l14}\n${local.l14}\n")`),
	"json depth":         withLocals(chain(17, `"[[[[[[[[[["`, `"${@}${@}"`), "jsondecode(local.l16)"),
	"json width":         withLocals(chain(17, `"[],[],[],[],"`, `"${@}${@}"`), `jsondecode("[${local.l16}[]]")`),
	"yaml aliases":       inJob("yamldecode(<<E\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nE\n)"),
	"yaml depth":         withLocals(chain(13, `"- - - - - - - - - - "`, `"${@}${@}"`), "yamldecode(local.l12)"),
	"yaml flow":          withLocals(chain(13, `"[[[[[[[[[["`, `"${@}${@}"`), "yamldecode(local.l12)"),
	"yaml large":         withLocals(chain(18, `"a: b\n"`, `"${@}${@}"`), "yamldecode(local.l17)"),
	"bcrypt":             inJob(`bcrypt("a", 31)`),
	"bcrypt many":        inJob(`[for i in range(1000) : bcrypt("a", 10)]`),
	"parseint":           withLocals(chain(17, `"9999999999"`, `"${@}${@}"`), "parseint(local.l16, 10)"),
	"template for":       inJob(`"%{ for a in range(1000) }%{ for b in range(1000) }%{ for c in range(1000) }x%{ endfor }%{ endfor }%{ endfor }"`),
	"heredoc join":       withLocals(chain(18, "<<E\n0123456789\nE\n", `"${@}${@}"`), `"${local.l17}${local.l17}${local.l17}${local.l17}"`),
	"many parts":         withLocals(chain(15, `"0123456789"`, `"${@}${@}"`), `"`+strings.Repeat("${local.l14}", 10_000)+`"`),
	"many uses":          withLocals(chain(15, `"0123456789"`, `"${@}${@}"`), "["+strings.Repeat("local.l14,", 10_000)+"]"),
	"splat":              inJob("[for a in range(1000) : [for b in range(1000) : {x = 1}][*].x]"),
	"errors":             inJob(`[for a in range(1000) : [for b in range(1000) : a + "x"]]`),
	"try":                inJob("try(" + strings.Repeat("try(", 40) + "1 + \"x\"" + strings.Repeat(")", 40) + ")"),
	"try swallows":       inJob(`try(format("%1000000000d", 1), setproduct(range(1000), range(1000)), "ok")`),
	"conditional":        inJob("[for a in range(1000) : [for b in range(1000) : a > b ? a : b]]"),
	"equal":              withLocals(chain(12, "[1, 2, 3, 4, 5, 6, 7, 8, 9]", "[@, @]"), "[for i in range(1000) : local.l11 == local.l11]"),
	"dynamic":            nestedDynamic(4, 1000),
	"dynamic nested 20":  nestedDynamic(18, 10),
	"dynamic unknown":    dynamicGroups(manyAttributes(100, "q%d = 1\n")),
	"dynamic types":      dynamicGroups("count = []\nshutdown_delay = []\nmax_run_duration = []\nmax_client_disconnect = []\nstop_after_client_disconnect = []\nprevent_reschedule_on_lost = []\n"),
	"dynamic errors":     dynamicGroups("meta {\n" + manyAttributes(100, "q%d = nothing.x\n") + "}\n"),
	"dynamic groups":     "job \"a\" {\n  dynamic \"group\" {\n    for_each = setproduct(range(1000), range(30))\n    labels = [\"g\"]\n    content {\n      task \"t\" {\n        driver = \"exec\"\n      }\n    }\n  }\n}\n",
	"locals chain":       withLocals(reversed(chain(9000, "1", "@ + 1")), "local.l8999"),
	"locals cycle":       withLocals("  a = local.b\n  b = local.a\n", "local.a"),
	"self":               withLocals("  a = [for i in range(2) : local.a]\n", "local.a"),
	"brackets":           inJob(strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)),
	"parens":             inJob(strings.Repeat("(", 10_000) + "1" + strings.Repeat(")", 10_000)),
	"strings":            inJob(strings.Repeat(`"${`, 10_000) + "1" + strings.Repeat(`}"`, 10_000)),
	"operators":          inJob("1" + strings.Repeat("+1", 10_000)),
	"expand":             inJob("max(range(1000)..., [for i in range(1000) : [for k in range(1000) : k]]...)"),
	"json syntax":        `{"job": {"a": {"meta": {"x": "${format(\"%1000000000d\", 1)}"}}}}`,
	"json syntax for":    `{"job": {"a": {"meta": {"x": "${join(\"\", [for a in range(1000) : join(\"\", [for b in range(1000) : b])])}"}}}}`,
	"json depth in file": `{"job": ` + strings.Repeat("[", 100_000),
	"json many keys":     `{"job": {"a": {"meta": {` + strings.Repeat(`"a":1,`, 90_000) + `"b":1}}}}`,
	"variable type":      "variable \"x\" {\n type = " + strings.Repeat("list(", 60) + "string" + strings.Repeat(")", 60) + "\n default = []\n}\n" + inJob("format(\"%1000000000d\", 1)"),
	"validation":         "variable \"x\" {\n default = 1\n validation {\n condition = length(setproduct(range(1000), range(1000))) > 0\n error_message = \"x\"\n}\n}\n" + inJob("1"),
}

// No bomb is evaluated to its end, and none takes more than the 64 MiB that
// are promised. What is allocated in all bounds both memory and time; it may be
// some times what is held at once.
func TestBombs(t *testing.T) {
	for name, src := range bombs {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, err := Parse(context.Background(), Source{Name: "bomb", Data: []byte(src)})
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("accepted")
			}
			if !errors.Is(err, api.ErrInvalid) && !errors.Is(err, api.ErrTooLarge) {
				t.Errorf("kind of %v", err)
			}
			if len(err.Error()) > 64<<10 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			made := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d MiB: %.150s", made, err)
			if made > 320 { // the race detector adds to it
				t.Errorf("allocated %d MiB", made)
			}
		})
	}
}
