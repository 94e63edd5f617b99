package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestTableIsWhole reads the package's sources: an operation that is declared
// and not listed would be missing everywhere.
func TestTableIsWhole(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "ops_") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if _, ok := call.Fun.(*ast.IndexListExpr); ok {
				declared++
			}
			return true
		})
	}
	if declared != len(Endpoints) {
		t.Errorf("%d operations are declared, the table lists %d", declared, len(Endpoints))
	}
}

func TestTableIsSound(t *testing.T) {
	names, routes := map[string]bool{}, map[string]bool{}
	wildcard := regexp.MustCompile(`\{(\w+)\}`)
	for _, e := range Endpoints {
		if names[e.Name] || routes[e.Method+e.Path] {
			t.Errorf("%s (%s %s) stands twice", e.Name, e.Method, e.Path)
		}
		names[e.Name], routes[e.Method+e.Path] = true, true
		inTags := map[string]bool{}
		for _, f := range shapeOf(e.Request).fields {
			if f.place == inPath {
				inTags[f.name] = true
			}
		}
		for _, m := range wildcard.FindAllStringSubmatch(e.Path, -1) {
			if !inTags[m[1]] {
				t.Errorf("%s: %s has no field for {%s}", e.Name, e.Request, m[1])
			}
			delete(inTags, m[1])
		}
		for name := range inTags {
			t.Errorf("%s: field %q of %s is not in %s", e.Name, name, e.Request, e.Path)
		}
	}
}

// TestRequestsTravelWhole fills every field of every request type, sends it
// through the codec and looks for losses.
func TestRequestsTravelWhole(t *testing.T) {
	for _, e := range Endpoints {
		sent := reflect.New(e.Request)
		for _, f := range shapeOf(e.Request).fields {
			fill(sent.Elem().FieldByIndex(f.index))
		}
		path, query, body, err := EncodeRequest(e, sent.Interface())
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		escaped, err := url.PathUnescape(path)
		if err != nil || !strings.HasPrefix(escaped, "/v1/") {
			t.Errorf("%s: path %q: %v", e.Name, path, err)
		}
		got := reflect.New(e.Request)
		if err := DecodeRequest(got.Interface(), func(string) string { return "a/b" }, query, strings.NewReader(string(body))); err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		for _, f := range shapeOf(e.Request).fields {
			if f.place == inBody {
				continue
			}
			if a, b := sent.Elem().FieldByIndex(f.index).Interface(), got.Elem().FieldByIndex(f.index).Interface(); !reflect.DeepEqual(a, b) {
				t.Errorf("%s: %s: sent %v, got %v", e.Name, f.name, a, b)
			}
		}
	}
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.String:
		v.SetString("a/b")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint64:
		v.SetUint(7)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("{\"not\": json\x00"))
			return
		}
		v.Set(reflect.ValueOf([]string{"x", "y"}))
	}
}

func TestDecodeRequestNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ query, body, want string }{
		{"index=many", "", `query parameter "index"`},
		{"wait=soon", "", `query parameter "wait"`},
		{"", "{\n  \"JobID\": 7}", "line 2, column"},
		{"", "{", "line 1, column"},
	} {
		values, _ := url.ParseQuery(c.query)
		var err error
		if c.body != "" {
			err = DecodeRequest(&JobRevertRequest{}, func(string) string { return "" }, values, strings.NewReader(c.body))
		} else {
			err = DecodeRequest(&JobsListRequest{}, nil, values, nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || Status(err) != http.StatusBadRequest {
			t.Errorf("%q %q: %v, want %q", c.query, c.body, err, c.want)
		}
	}
}

func TestRoutes(t *testing.T) {
	router := NewRouter(Endpoints)
	for _, e := range Endpoints {
		path := strings.NewReplacer("{id}", "x1", "{name}", "x1", "{tag}", "x1").Replace(e.Path)
		if m := router.Route(e.Method, path); m.Endpoint != e {
			t.Errorf("%s %s goes to %v", e.Method, path, m.Endpoint)
		}
	}
	for _, c := range []struct{ method, path, op, id string }{
		{"GET", "/v1/job/a%2Fb/summary", "Job.Summary", "a/b"},
		{"GET", "/v1/job/a/b/summary", "Job.Summary", "a/b"},
		{"GET", "/v1/job/a/b", "Job.Read", "a/b"},
		{"GET", "/v1/job/summary", "Job.Read", "summary"},
		{"GET", "/v1/job/summary/summary", "Job.Summary", "summary"},
		{"POST", "/v1/job/a/b/plan", "Job.Plan", "a/b"},
		{"POST", "/v1/jobs", "Jobs.Register", ""},
		{"PUT", "/v1/node/pool/evaluate", "NodePool.Write", ""},
		{"PUT", "/v1/node/n1/evaluate", "Node.Evaluate", "n1"},
		{"GET", "/v1/evaluations/count", "Evaluations.Count", ""},
		{"DELETE", "/v1/job/x/versions/gold/tag", "Job.Untag", "x"},
		{"GET", "/v1/jobs/", "Jobs.List", ""},
	} {
		m := router.Route(c.method, c.path)
		if m.Endpoint == nil || m.Endpoint.Name != c.op || m.Value("id") != c.id {
			t.Errorf("%s %s: %+v, want %s of %q", c.method, c.path, m, c.op, c.id)
		}
	}
	if m := router.Route("DELETE", "/v1/jobs"); m.Endpoint != nil || !m.Known {
		t.Errorf("a wrong method: %+v", m)
	}
	if m := router.Route("GET", "/v1/nothing"); m.Endpoint != nil || m.Known {
		t.Errorf("an unknown path: %+v", m)
	}
}

func TestRawBodyIsBounded(t *testing.T) {
	for size, ok := range map[int]bool{0: true, MaxDispatchPayload: true, MaxDispatchPayload + 1: false} {
		var req JobDispatchRawRequest
		err := DecodeRequest(&req, func(string) string { return "j" }, nil, strings.NewReader(strings.Repeat("[", size)))
		if (err == nil) != ok || ok && len(req.Payload) != size {
			t.Errorf("%d bytes: got %d, %v", size, len(req.Payload), err)
		}
	}
}
