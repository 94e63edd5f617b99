package plugin

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/hclspec"
)

var schema = drivers.NewSchema(
	drivers.Required("command", drivers.String),
	drivers.Optional("args", drivers.List(drivers.String)),
	drivers.WithDefault("count", drivers.Number, 3),
	drivers.WithDefault("text", drivers.String, "a ${b} %{c}"),
	drivers.WithDefault("list", drivers.List(drivers.String), []any{"x", "y"}),
	drivers.Optional("on", drivers.Bool),
	drivers.Optional("labels", drivers.List(drivers.Map(drivers.String))),
	drivers.OneBlock("auth", drivers.Required("username", drivers.String)),
	drivers.Field{Name: "mount", Kind: drivers.BlockList, Min: 0, Max: 4, Fields: drivers.NewSchema(drivers.Required("target", drivers.String))},
	drivers.Field{Name: "port", Kind: drivers.BlockMap, Labels: []string{"name"}, Fields: drivers.NewSchema(drivers.Required("to", drivers.Number))},
	drivers.Field{Name: "sysctl", Kind: drivers.BlockAttributes, Type: drivers.String},
)

// A schema comes over the wire as it was, whatever order its fields are in.
func TestSchemaOverWire(t *testing.T) {
	text, err := proto.Marshal(specOf(schema))
	if err != nil {
		t.Fatal(err)
	}
	var spec hclspec.Spec
	if err := proto.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	got, err := schemaOf(&spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Fields) != len(schema.Fields) {
		t.Fatalf("%d fields of %d", len(got.Fields), len(schema.Fields))
	}
	for _, want := range schema.Fields {
		f, ok := got.Lookup(want.Name)
		if !ok || f.Kind != want.Kind || f.Required != want.Required || f.Type != want.Type || f.Max != want.Max || !reflect.DeepEqual(f.Labels, want.Labels) {
			t.Errorf("%+v, want %+v", f, want)
		}
	}
}

// A configuration decodes to the same on both sides of the wire.
func TestConfigOverWire(t *testing.T) {
	spec := specOf(schema)
	for _, in := range []string{
		`{"command":"a"}`,
		`{"command":"a","args":["x","y"],"count":"7","on":true,"labels":{"k":"v"},"auth":[{"username":"u"}],"mount":[{"target":"/x"},{"target":"/y"}],
			"port":[{"http":[{"to":80}]},{"db":[{"to":1}]}],"sysctl":{"net.ipv4.ip_forward":1}}`,
		`{"command":"é","count":0.25,"args":[],"list":[]}`,
	} {
		var raw map[string]any
		if err := json.Unmarshal([]byte(in), &raw); err != nil {
			t.Fatal(err)
		}
		text, err := encode(spec, schema, raw)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		got, err := decode(text)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		here, err := schema.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		there, err := schema.Decode(got)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		for k, v := range there { // an empty list of blocks is the wire's way to say none
			if list, ok := v.([]any); ok && len(list) == 0 && here[k] == nil {
				delete(there, k)
			}
			if m, ok := v.(map[string]any); ok && len(m) == 0 && here[k] == nil {
				delete(there, k)
			}
		}
		if !reflect.DeepEqual(here, there) {
			t.Errorf("%s:\n here %v\nthere %v", in, here, there)
		}
	}
	if _, err := encode(spec, schema, map[string]any{"comand": "x"}); len(drivers.ConfigProblems(err)) != 2 {
		t.Errorf("%v", err)
	}
}

// A spec of another author: a key that is not the name, a literal, a set, a default around a block attribute.
func TestForeignSpec(t *testing.T) {
	attr := func(name, typ string) *hclspec.Spec {
		return &hclspec.Spec{Block: &hclspec.Spec_Attr{Attr: &hclspec.Attr{Name: name, Type: typ}}}
	}
	literal := func(v string) *hclspec.Spec {
		return &hclspec.Spec{Block: &hclspec.Spec_Literal{Literal: &hclspec.Literal{Value: v}}}
	}
	nested := &hclspec.Spec{Block: &hclspec.Spec_Object{Object: &hclspec.Object{Attributes: map[string]*hclspec.Spec{"a": attr("a", "number")}}}}
	spec := &hclspec.Spec{Block: &hclspec.Spec_Object{Object: &hclspec.Object{Attributes: map[string]*hclspec.Spec{
		"wire_name": attr("name", "list( map(string) )"),
		"fixed":     literal(`"5m"`),
		"when":      {Block: &hclspec.Spec_Default{Default: &hclspec.Default{Primary: attr("when", "string"), Default: literal(`"1h"`)}}},
		"things":    {Block: &hclspec.Spec_BlockSet{BlockSet: &hclspec.BlockSet{Name: "thing", Nested: nested}}},
	}}}}
	c, err := codecOf(spec)
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.encode(map[string]any{"name": map[string]any{"k": 1}, "thing": []any{map[string]any{"a": "4"}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(text)
	want := map[string]any{"wire_name": []any{map[string]any{"k": "1"}}, "fixed": "5m", "when": "1h", "things": []any{map[string]any{"a": int64(4)}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := codecOf(&hclspec.Spec{Block: &hclspec.Spec_Object{Object: &hclspec.Object{Attributes: map[string]*hclspec.Spec{
		"x": {Block: &hclspec.Spec_Default{Default: &hclspec.Default{Primary: attr("x", "string"), Default: literal(`upper("a")`)}}}}}}}); err == nil {
		t.Error("a default that cannot be evaluated was taken")
	}
}

// Specs that go further than most: a block whose default is written in HCL, a default taken from another attribute, blocks that are not objects,
// an array.
func TestUnusualSpecs(t *testing.T) {
	attr := func(name, typ string) *hclspec.Spec {
		return &hclspec.Spec{Block: &hclspec.Spec_Attr{Attr: &hclspec.Attr{Name: name, Type: typ}}}
	}
	literal := func(v string) *hclspec.Spec {
		return &hclspec.Spec{Block: &hclspec.Spec_Literal{Literal: &hclspec.Literal{Value: v}}}
	}
	or := func(primary, other *hclspec.Spec) *hclspec.Spec {
		return &hclspec.Spec{Block: &hclspec.Spec_Default{Default: &hclspec.Default{Primary: primary, Default: other}}}
	}
	object := func(m map[string]*hclspec.Spec) *hclspec.Spec {
		return &hclspec.Spec{Block: &hclspec.Spec_Object{Object: &hclspec.Object{Attributes: m}}}
	}
	block := func(name string, nested *hclspec.Spec) *hclspec.Spec {
		return &hclspec.Spec{Block: &hclspec.Spec_BlockValue{BlockValue: &hclspec.Block{Name: name, Nested: nested}}}
	}
	c, err := codecOf(object(map[string]*hclspec.Spec{
		"gc": or(block("gc", object(map[string]*hclspec.Spec{"image": or(attr("image", "bool"), literal("true")), "delay": attr("delay", "string")})),
			literal("{\n  image = false # kept\n  delay = \"3m\"\n}")),
		"socket": or(attr("socket", "string"), or(attr("endpoint", "string"), literal(`"/run/x.sock"`))),
		"level":  block("level", attr("value", "number")),
		"pair":   {Block: &hclspec.Spec_Array{Array: &hclspec.Array{Values: []*hclspec.Spec{attr("a", "string"), attr("b", "bool")}}}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		`{}`: `{"gc":{"image":false,"delay":"3m"},"socket":"/run/x.sock","pair":[null,null]}`,
		`{"gc":{},"endpoint":"e","level":{"value":"3"},"a":"x","b":"true"}`: `{"gc":{"image":true},"socket":"e","level":3,"pair":["x",true]}`,
		`{"gc":[{"delay":"1s"}],"endpoint":"e","socket":"s"}`:               `{"gc":{"image":true,"delay":"1s"},"socket":"s","pair":[null,null]}`,
	} {
		var raw, expected map[string]any
		if err := errors.Join(json.Unmarshal([]byte(in), &raw), json.Unmarshal([]byte(want), &expected)); err != nil {
			t.Fatal(err)
		}
		text, err := c.encode(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(text)
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := json.Marshal(got)
		var back map[string]any
		if err := json.Unmarshal(plain, &back); err != nil || !reflect.DeepEqual(back, expected) {
			t.Errorf("%s:\n got %s\nwant %s", in, plain, want)
		}
	}
	deep := attr("x", "string")
	for range maxSpecDepth + 1 {
		deep = block("b", deep)
	}
	if _, err := codecOf(deep); err == nil {
		t.Error("a bottomless schema was taken")
	}
}

func TestLiterals(t *testing.T) {
	for text, want := range map[string]any{
		`null`: nil, ` true `: true, `-12`: int64(-12), `1.5e3`: int64(1500), `0.25`: 0.25, `"a\n\u00e9 $${x} %%{y}"`: "a\né ${x} %{y}",
		`[]`: []any{}, "[1, \"b\",\n]": []any{int64(1), "b"}, `{}`: map[string]any{},
		"{ a = 1, \"b c\" : [true]\n c-d = { e = null } }": map[string]any{"a": int64(1), "b c": []any{true}, "c-d": map[string]any{"e": nil}},
		"/* x */ [ # one\n 1 // two\n ]":                   []any{int64(1)},
	} {
		if got, err := parseLiteral(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "upper(\"a\")", "[1 2]", "{a 1}", `"x`, `"${x}"`, "1 2", "{a = 1 b = 2}", "\"a\nb\"", strings.Repeat("[", 100), `"\q"`, "NaN", "Inf"} {
		if v, err := parseLiteral(text); err == nil {
			t.Errorf("%q is %v", text, v)
		}
	}
}

func FuzzLiteral(f *testing.F) {
	for _, s := range []string{`{ a = [1, "x"] }`, `"\u0041"`, "[[[", "-1.5e-7", "{a=1\nb=2}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseLiteral(text)
		if err != nil {
			return
		}
		if again, err := parseLiteral(literalOf(v)); err != nil || literalOf(again) != literalOf(v) {
			t.Errorf("%q: %#v, and again %#v %v", text, v, again, err)
		}
	})
}

// fill sets every field of a struct to something.
func fill(t *testing.T, v reflect.Value, skip map[string]bool) {
	t.Helper()
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if skip[name] {
			continue
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString(name)
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(7 + i))
		case reflect.Uint64:
			f.SetUint(uint64(7 + i))
		case reflect.Float64:
			f.SetFloat(0.5)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			if f.Type().Elem().Kind() == reflect.Struct {
				fill(t, f.Index(0), skip)
			} else if f.Type().Elem().Kind() == reflect.String {
				f.Index(0).SetString(name)
			}
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{name: name}))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
			fill(t, f.Elem(), skip)
		case reflect.Struct:
			fill(t, f, skip)
		default:
			t.Fatalf("%s: kind %s", name, f.Kind())
		}
	}
}

// Every field of a task's configuration travels: a new one that is forgotten fails here.
func TestTaskOverWire(t *testing.T) {
	var task drivers.TaskConfig
	fill(t, reflect.ValueOf(&task).Elem(), map[string]bool{"Config": true})
	task.Network.Mode = drivers.NetworkGroup
	task.Config = map[string]any{"command": "a"}
	codec := schemaCodec{spec: specOf(drivers.NewSchema(drivers.Required("command", drivers.String)))}
	codec.schema, _ = schemaOf(codec.spec)
	w, err := taskToWire(&task, codec)
	if err != nil {
		t.Fatal(err)
	}
	text, err := proto.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var back driver.TaskConfig
	if err := proto.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	got, err := taskFromWire(&back)
	if err != nil || !reflect.DeepEqual(*got, task) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, task)
	}
}

func TestValuesOverWire(t *testing.T) {
	usage := drivers.ResourceUsage{Time: time.Unix(1, 2).UTC()}
	fill(t, reflect.ValueOf(&usage.CPU).Elem(), map[string]bool{"Measured": true})
	fill(t, reflect.ValueOf(&usage.Memory).Elem(), map[string]bool{"Measured": true})
	usage.CPU.Measured = []string{drivers.MeasuredPercent, drivers.MeasuredThrottledTime}
	usage.Memory.Measured = []string{drivers.MeasuredSwap, drivers.MeasuredRSS}
	usage.PIDs = map[string]drivers.ProcessUsage{"5": {CPU: usage.CPU, Memory: usage.Memory}}
	if got := usageFromWire(usageToWire("x", usage)); !reflect.DeepEqual(got, usage) {
		t.Errorf("\n got %+v\nwant %+v", got, usage)
	}
	abilities := drivers.Abilities{Signal: true, Exec: true, FS: drivers.FSUnveil, NetworkModes: networkModes, MustCreateNetwork: true,
		Mounts: true, DisableLogCollection: true, DynamicUsers: true}
	if got := abilitiesFromWire(abilitiesToWire(abilities)); !reflect.DeepEqual(got, abilities) {
		t.Errorf("%+v", got)
	}
	exit := drivers.ExitResult{ExitCode: 1, Signal: 2, OOMKilled: true}
	if got := exitFromWire(exitToWire(exit)); got != exit {
		t.Errorf("%+v", got)
	}
	status := drivers.TaskStatus{ID: "a", Name: "b", State: drivers.TaskExited, StartedAt: time.Unix(5, 0).UTC(), CompletedAt: time.Unix(6, 0).UTC(),
		Exit: &exit, Attributes: map[string]string{"pid": "1"}, Network: &drivers.Network{IP: "1.2.3.4", PortMap: map[string]int{"http": 80}, AutoAdvertise: true}}
	if got := statusFromWire(statusToWire(status)); !reflect.DeepEqual(got, status) {
		t.Errorf("%+v", got)
	}
	event := drivers.TaskEvent{TaskID: "a", AllocID: "b", TaskName: "c", Time: time.Unix(9, 0).UTC(), Message: "d", Annotations: map[string]string{"e": "f"}}
	if got := eventFromWire(eventToWire(event)); !reflect.DeepEqual(got, event) {
		t.Errorf("%+v", got)
	}
	attributes := map[string]any{"s": "x", "b": true, "i": int64(4), "f": 0.5}
	if got := attributesFromWire(attributesToWire(attributes)); !reflect.DeepEqual(got, attributes) {
		t.Errorf("%+v", got)
	}
}

// The kind of an error survives, its text too.
func TestErrorsOverWire(t *testing.T) {
	for _, err := range []error{
		drivers.TaskNotFound("a"), drivers.ErrUnsupported, drivers.ErrDisabled, drivers.Recoverable(errors.New("later")), errors.New("plain"),
		&drivers.ConfigError{Problems: []drivers.Problem{{Path: "a", Text: "b"}}},
	} {
		got := fromStatus(t.Context(), "d", toStatus(err))
		if got.Error() != err.Error() {
			t.Errorf("%q becomes %q", err, got)
		}
		for _, kind := range []error{drivers.ErrTaskNotFound, drivers.ErrUnsupported, drivers.ErrDisabled, drivers.ErrUnavailable} {
			if errors.Is(got, kind) != errors.Is(err, kind) {
				t.Errorf("%q: is %q: %v", err, kind, errors.Is(got, kind))
			}
		}
		if drivers.IsRecoverable(got) != drivers.IsRecoverable(err) {
			t.Errorf("%q: recoverable %v", err, drivers.IsRecoverable(got))
		}
	}
	if toStatus(nil) != nil || fromStatus(t.Context(), "d", nil) != nil {
		t.Error("nothing becomes an error")
	}
}

func FuzzDecode(f *testing.F) {
	good, _ := encode(specOf(schema), schema, map[string]any{"command": "a", "args": []any{"b"}})
	f.Add(good)
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte("\xdd\xdd\xdd\xdd\xdd"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, err := decode(text); err == nil && m == nil {
			t.Error("neither value nor error")
		}
	})
}

func FuzzHandshake(f *testing.F) {
	f.Add("1|2|unix|/tmp/x|grpc|")
	f.Add("1|2|tcp|127.0.0.1:1|grpc")
	f.Fuzz(func(t *testing.T, line string) {
		network, address, err := parseHandshake(line)
		if err == nil && (network != "unix" || address == "" || address[0] != '/') {
			t.Errorf("%q: %q %q", line, network, address)
		}
	})
}
