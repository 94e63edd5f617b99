package drivers

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
)

var testSchema = NewSchema(
	Required("command", String),
	Optional("args", List(String)),
	WithDefault("count", Number, 3),
	Optional("ratio", Number),
	Optional("on", Bool),
	Optional("labels", List(Map(String))),
	Optional("tags", Map(Number)),
	Optional("anything", Any),
	OneBlock("auth", Required("username", String), Optional("password", String)),
	Blocks("mount", Required("target", String), WithDefault("readonly", Bool, true)),
	Field{Name: "port", Kind: BlockMap, Labels: []string{"name"}, Fields: NewSchema(Required("to", Number))},
	Field{Name: "sysctl", Kind: BlockAttributes, Type: String},
)

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"default":              {`{"command":"a"}`, `{"command":"a","count":3}`},
		"number from string":   {`{"command":"a","count":"12","ratio":"0.5"}`, `{"command":"a","count":12,"ratio":0.5}`},
		"number from float":    {`{"command":"a","count":7.0,"ratio":1e3}`, `{"command":"a","count":7,"ratio":1000}`},
		"bool from string":     {`{"command":"a","on":"TRUE"}`, `{"command":"a","count":3,"on":true}`},
		"bool from number":     {`{"command":"a","on":0}`, `{"command":"a","count":3,"on":false}`},
		"string from number":   {`{"command":5}`, `{"command":"5","count":3}`},
		"list of mixed":        {`{"command":"a","args":["x",1,true,1.5]}`, `{"args":["x","1","true","1.5"],"command":"a","count":3}`},
		"null is absent":       {`{"command":"a","args":null,"count":null}`, `{"command":"a","count":3}`},
		"map as block":         {`{"command":"a","labels":{"x":1}}`, `{"command":"a","count":3,"labels":[{"x":"1"}]}`},
		"map as list of one":   {`{"command":"a","tags":[{"x":"1"},{"y":2}]}`, `{"command":"a","count":3,"tags":{"x":1,"y":2}}`},
		"block":                {`{"command":"a","auth":{"username":"u"}}`, `{"auth":{"username":"u"},"command":"a","count":3}`},
		"block as list of one": {`{"command":"a","auth":[{"username":"u"}]}`, `{"auth":{"username":"u"},"command":"a","count":3}`},
		"one of many blocks":   {`{"command":"a","mount":{"target":"/x"}}`, `{"command":"a","count":3,"mount":[{"readonly":true,"target":"/x"}]}`},
		"labelled blocks":      {`{"command":"a","port":[{"http":[{"to":80}]},{"db":{"to":"5432"}}]}`, `{"command":"a","count":3,"port":{"db":{"to":5432},"http":{"to":80}}}`},
		"free block":           {`{"command":"a","sysctl":[{"net.core.somaxconn":1024}]}`, `{"command":"a","count":3,"sysctl":{"net.core.somaxconn":"1024"}}`},
		"any":                  {`{"command":"a","anything":{"x":[1,{"y":null}]}}`, `{"anything":{"x":[1,{"y":null}]},"command":"a","count":3}`},
	} {
		var raw map[string]any
		if err := json.Unmarshal([]byte(c.in), &raw); err != nil {
			t.Fatal(err)
		}
		got, err := testSchema.Decode(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, _ := json.Marshal(got)
		if string(text) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, text, c.want)
		}
		// What was decoded decodes to itself: it may pass through several hands.
		again, err := testSchema.Decode(got)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%s: again: %v %v", name, again, err)
		}
	}
}

func TestDecodeProblems(t *testing.T) {
	raw := map[string]any{
		"comand": "x", "args": "not a list", "count": "many", "on": "perhaps", "auth": []any{map[string]any{}, map[string]any{}},
		"mount": []any{map[string]any{"taget": "/x"}, "text"}, "tags": map[string]any{"a": "b"},
	}
	_, err := testSchema.Decode(raw)
	var got []string
	for _, p := range ConfigProblems(err) {
		got = append(got, p.Path+": "+p.Text)
	}
	for _, want := range []string{
		`comand: unknown option, did you mean "command"?`,
		"command: is required",
		`args: must be a list of strings, not the string "not a list": write ["not a list"]`,
		`count: must be a number, not the string "many"`,
		`on: must be true or false, not the string "perhaps"`,
		"auth: the block may be there once, not 2 times",
		`mount[0].taget: unknown option, did you mean "target"?`,
		"mount[0].target: is required",
		`mount[1]: must be a block, not the string "text"`,
		`tags.a: must be a number, not the string "b"`,
	} {
		found := false
		for _, g := range got {
			found = found || g == want
		}
		if !found {
			t.Errorf("not told: %s", want)
		}
	}
	if t.Failed() {
		t.Logf("told:\n%s", strings.Join(got, "\n"))
	}
}

// References are for the node to resolve: they pass validation and not decoding.
func TestValidateReferences(t *testing.T) {
	raw := map[string]any{"command": "${attr.x}", "count": "${meta.n}", "on": "${meta.on}", "args": "${meta.list}"}
	if err := testSchema.Validate(raw); err != nil {
		t.Error(err)
	}
	if _, err := testSchema.Decode(maps.Clone(raw)); len(ConfigProblems(err)) != 3 {
		t.Error(err)
	}
	if err := testSchema.Validate(map[string]any{}); len(ConfigProblems(err)) != 1 {
		t.Error(err)
	}
}

func TestDecodeInto(t *testing.T) {
	var c struct {
		Command string
		Count   int
		Auth    *struct{ Username string }
	}
	if err := testSchema.DecodeInto(map[string]any{"command": "a", "auth": map[string]any{"username": "u"}}, &c); err != nil || c.Count != 3 || c.Auth.Username != "u" {
		t.Errorf("%+v %v", c, err)
	}
	if err := testSchema.DecodeInto(map[string]any{"command": "a", "count": 1.5}, &c); err == nil {
		t.Error("a fraction went into an int")
	}
}

func TestNearest(t *testing.T) {
	for in, want := range map[string]string{"comand": "command", "COMMAND": "command", "arg": "args", "zzz": "", "imagee": "image", "x": ""} {
		if got, _ := nearest(in, []string{"command", "args", "image"}); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestErrors(t *testing.T) {
	if !IsRecoverable(Recoverable(errors.New("x"))) || IsRecoverable(errors.New("x")) || !IsRecoverable(ErrUnavailable) || Recoverable(nil) != nil {
		t.Error("recoverable")
	}
	if err := CommandNotFound("x", "here"); IsRecoverable(err) || !strings.Contains(err.Error(), `"x"`) {
		t.Error(err)
	}
	if !errors.Is(TaskNotFound("a"), ErrTaskNotFound) {
		t.Error("not found")
	}
}

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct{ reserved, limit, want int64 }{{100, 0, 100}, {100, 200, 200}, {100, -1, 0}} {
		if got := (Resources{MemoryMB: c.reserved, MemoryMaxMB: c.limit}).MemoryLimitMB(); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// FuzzDecode: whatever a job says, decoding ends with a value that decodes to itself or with problems that have a place.
func FuzzDecode(f *testing.F) {
	f.Add(`{"command":"a","args":["x"],"mount":[{"target":"/x"}],"port":{"http":{"to":1}}}`)
	f.Add(`{"command":["a"],"auth":[[]],"labels":[{}],"tags":"${x}","anything":[[[1e400]]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var raw map[string]any
		if json.Unmarshal([]byte(text), &raw) != nil {
			return
		}
		_ = testSchema.Validate(raw)
		got, err := testSchema.Decode(raw)
		if err != nil {
			for _, p := range ConfigProblems(err) {
				if p.Path == "" || p.Text == "" {
					t.Errorf("%+v", p)
				}
			}
			return
		}
		again, err := testSchema.Decode(got)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%#v becomes %#v %v", got, again, err)
		}
	})
}
