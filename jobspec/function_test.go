package jobspec

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// evaluate gives the value of an expression as the text of a meta key.
func evaluate(t *testing.T, expr string, allowFS bool) (string, error) {
	t.Helper()
	src := fmt.Sprintf("job \"a\" {\n  meta {\n    x = %s\n  }\n  group \"g\" {\n  }\n}\n", expr)
	r, err := Parse(context.Background(), Source{Name: "a.hcl", Data: []byte(src), AllowFS: allowFS, BaseDir: "testdata/files"})
	if err != nil {
		return "", err
	}
	return r.Job.Meta["x"], nil
}

func TestFunctions(t *testing.T) {
	cases := map[string]string{
		`abs(-3)`:                                                  "3",
		`base64decode("aGk=")`:                                     "hi",
		`base64encode("hi")`:                                       "aGk=",
		`substr(bcrypt("a", 4), 0, 7)`:                             "$2a$04$",
		`can(1 + "x")`:                                             "false",
		`ceil(1.2)`:                                                "2",
		`chomp("a\n")`:                                             "a",
		`jsonencode(chunklist([1, 2, 3], 2))`:                      "[[1,2],[3]]",
		`cidrhost("10.12.0.0/16", 516)`:                            "10.12.2.4",
		`cidrhost("10.0.0.0/24", -1)`:                              "10.0.0.255",
		`cidrhost("fd00::/64", 34)`:                                "fd00::22",
		`cidrnetmask("172.16.0.0/12")`:                             "255.240.0.0",
		`cidrsubnet("172.16.0.0/12", 4, 2)`:                        "172.18.0.0/16",
		`cidrsubnet("fd00:fd12:3456:7890::/56", 16, 162)`:          "fd00:fd12:3456:7800:a200::/72",
		`join(" ", cidrsubnets("10.1.0.0/16", 4, 4, 8, 4))`:        "10.1.0.0/20 10.1.16.0/20 10.1.32.0/24 10.1.48.0/20",
		`coalesce("", "b")`:                                        "",
		`jsonencode(coalescelist([], [1]))`:                        "[1]",
		`jsonencode(compact(["a", "", "b"]))`:                      `["a","b"]`,
		`jsonencode(concat([1], [2]))`:                             "[1,2]",
		`contains(["a"], "a")`:                                     "true",
		`convert("5", number) + 1`:                                 "6",
		`csvdecode("a,b\n1,2")[0].b`:                               "2",
		`jsonencode(distinct([1, 1, 2]))`:                          "[1,2]",
		`element(["a", "b"], 3)`:                                   "b",
		`jsonencode(flatten([[1], [[2]]]))`:                        "[1,2]",
		`floor(1.8)`:                                               "1",
		`format("%03d-%s-%5.2f%%", 7, "x", 1.5)`:                   "007-x- 1.50%",
		`formatdate("YYYY-MM-DD", "2026-01-02T03:04:05Z")`:         "2026-01-02",
		`join(",", formatlist("%s!", ["a", "b"]))`:                 "a!,b!",
		`indent(2, "a\nb")`:                                        "a\n  b",
		`index(["a", "b"], "b")`:                                   "1",
		`join("-", ["a", "b"])`:                                    "a-b",
		`jsondecode("{\"a\": [1, 2]}").a[1]`:                       "2",
		`jsonencode({ a = 1 })`:                                    `{"a":1}`,
		`join(",", keys({ b = 1, a = 2 }))`:                        "a,b",
		`length([1, 2])`:                                           "2",
		`log(8, 2)`:                                                "3",
		`lookup({ a = "b" }, "c", "d")`:                            "d",
		`lower("AB")`:                                              "ab",
		`max(1, 3, 2)`:                                             "3",
		`merge({ a = 1 }, { a = 2 }).a`:                            "2",
		`min(2, 1)`:                                                "1",
		`parseint("ff", 16)`:                                       "255",
		`pow(2, 10)`:                                               "1024",
		`jsonencode(range(3))`:                                     "[0,1,2]",
		`jsonencode(reverse([1, 2]))`:                              "[2,1]",
		`regex_replace("a1b22", "[0-9]+", "<$0>")`:                 "a<1>b<22>",
		`replace("a-b", "-", "+")`:                                 "a+b",
		`jsonencode(setintersection(["a", "b"], ["b"]))`:           `["b"]`,
		`jsonencode(setproduct(["a"], ["b", "c"]))`:                `[["a","b"],["a","c"]]`,
		`jsonencode(setunion(["a"], ["b"]))`:                       `["a","b"]`,
		`sha256("a")`:                                              "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
		`substr(sha512("a"), 0, 8)`:                                "1f40fc92",
		`signum(-5)`:                                               "-1",
		`jsonencode(slice(["a", "b", "c"], 1, 2))`:                 `["b"]`,
		`jsonencode(sort(["b", "a"]))`:                             `["a","b"]`,
		`jsonencode(split(",", "a,b"))`:                            `["a","b"]`,
		`strlen("äb")`:                                             "2",
		`strrev("abc")`:                                            "cba",
		`substr("hello", 1, 3)`:                                    "ell",
		`timeadd("2026-01-01T00:00:00Z", "1h")`:                    "2026-01-01T01:00:00Z",
		`title("hello world")`:                                     "Hello World",
		`trim("xxaxx", "x")`:                                       "a",
		`trimprefix("abc", "a")`:                                   "bc",
		`trimspace("  a ")`:                                        "a",
		`trimsuffix("abc", "c")`:                                   "ab",
		`try(nothing.here, "else")`:                                "else",
		`upper("a")`:                                               "A",
		`urlencode("a b&c")`:                                       "a+b%26c",
		`strlen(uuidv4())`:                                         "36",
		`uuidv5("dns", "example.com")`:                             "cfbff0d1-9375-5685-968c-48ce8b15ae17",
		`jsonencode(values({ a = 1 }))`:                            "[1]",
		`yamldecode("a: [1, {b: c}]").a[1].b`:                      "c",
		`yamlencode({ a = [1] })`:                                  "\"a\":\n- 1\n",
		`zipmap(["a"], [1]).a`:                                     "1",
		`basename("/a/b.txt")`:                                     "b.txt",
		`dirname("/a/b.txt")`:                                      "/a",
		`trimspace(file("a.txt"))`:                                 "from a file",
		`filebase64("sub/b.txt")`:                                  "eAo=",
		`fileexists("a.txt")`:                                      "true",
		`fileexists("none")`:                                       "false",
		`jsonencode(fileset(".", "*.txt"))`:                        `["a.txt"]`,
		`jsonencode(fileset(".", "**/*.txt"))`:                     `["a.txt","sub/b.txt"]`,
		`pathexpand("/x")`:                                         "/x",
		`substr(abspath("a.txt"), 0, 1)`:                           "/",
		`try(rsadecrypt("x", "y"), "no")`:                          "no",
		`"${1 + 2}-${true ? "a" : "b"}"`:                           "3-a",
		`[for k, v in { a = "b" } : "${k}${v}" if v != ""][0]`:     "ab",
		`"%{ for x in ["a", "b"] }${x};%{ endfor }"`:               "a;b;",
		`{ for x in ["a", "b"] : x => upper(x) }.b`:                "B",
		`jsonencode([{ n = 1 }, { n = 2 }][*].n)`:                  "[1,2]",
		`"$${kept} %%{kept} ${attr.cpu.arch} ${meta["a.b"]}"`:      "${kept} %{kept} ${attr.cpu.arch} ${meta[\"a.b\"]}",
		`node.datacenter`:                                          "${node.datacenter}",
		`"${NOMAD_PORT_http} ${NOMAD_META_x} ${HOME} ${lower_sh}"`: "${NOMAD_PORT_http} ${NOMAD_META_x} ${HOME} ${lower_sh}",
		`[for meta in ["x"] : meta][0]`:                            "x",
	}
	used := map[string]bool{}
	for expr, want := range cases {
		got, err := evaluate(t, expr, true)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got != want && want != "" {
			t.Errorf("%s = %q, want %q", expr, got, want)
		}
		for _, name := range functionNames() {
			if strings.Contains(expr, name+"(") {
				used[name] = true
			}
		}
	}
	for _, name := range functionNames() {
		if !used[name] {
			t.Errorf("function %s has no test", name)
		}
	}
	if n := len(functionNames()); n != 81 {
		t.Errorf("%d functions, want 81", n)
	}
}

func TestFileFunctionsNeedLeave(t *testing.T) {
	for _, expr := range []string{`file("a.txt")`, `filebase64("a.txt")`, `fileexists("a.txt")`, `jsonencode(fileset(".", "*"))`, `abspath(".")`, `pathexpand("~")`} {
		if got, err := evaluate(t, expr, false); err == nil {
			t.Errorf("%s gave %q", expr, got)
		} else if !strings.Contains(err.Error(), "file functions do not work here") {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

func TestFilesThatAreNotFiles(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/dev/zero", fifo, big, dir, "/nowhere", `a\u0000b`} {
		if _, err := evaluate(t, `file("`+path+`")`, true); err == nil {
			t.Errorf("%s was read", path)
		}
	}
}
