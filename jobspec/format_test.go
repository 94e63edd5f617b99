package jobspec

import (
	"errors"
	"testing"

	"github.com/seraihq/serai/api"
)

func TestFormat(t *testing.T) {
	for in, want := range map[string]string{
		"job \"a\" {\ncount=1\n  priority  =   2}\n": "job \"a\" {\n  count = 1\npriority = 2 }\n",
		"a=1":                     "a = 1\n",
		"":                        "",
		"b \"x\" {\n\"q\"=1\n}\n": "b \"x\" {\n  \"q\" = 1\n}\n",
		"# kept\na = 1 // also\n": "# kept\na = 1 // also\n",
		"{\"a\":1}":               "{\"a\":1}",
		"x = <<E\n  text\nE\n":    "x = <<E\n  text\nE\n",
		"l = [\n1,\n   2,\n]\n":   "l = [\n  1,\n  2,\n]\n",
	} {
		got, err := Format([]byte(in), "x.hcl")
		if in == "job \"a\" {\ncount=1\n  priority  =   2}\n" {
			if err == nil {
				t.Error("a file that does not parse was formatted")
			}
			continue
		}
		if err != nil || string(got) != want {
			t.Errorf("%q became %q (%v), want %q", in, got, err, want)
		}
		again, err := Format(got, "x.hcl")
		if err != nil || string(again) != string(got) {
			t.Errorf("%q is not stable: %q", got, again)
		}
	}
	if _, err := Format([]byte("a = "), "x.hcl"); !errors.Is(err, api.ErrInvalid) {
		t.Error(err)
	}
}
