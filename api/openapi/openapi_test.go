package openapi

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

var update = flag.Bool("update", false, "write the golden files and the UI's types anew")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is not current; run: go test ./api/openapi -update", path)
	}
}

// few are endpoints that between them have every kind of place and content.
var few = []*api.Endpoint{
	api.EvaluationsCount.Endpoint, api.EvaluationsDelete.Endpoint, api.SearchFuzzy.Endpoint, api.JobDispatchRaw.Endpoint,
	api.JobDispatch.Endpoint, api.NamespaceWrite.Endpoint, api.FSList.Endpoint, api.EventStream.Endpoint, api.ClientMetaApply.Endpoint,
}

func TestDocument(t *testing.T) {
	data, err := json.MarshalIndent(New(few, "test"), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "openapi.json"), string(data)+"\n")
}

func TestTypeScriptOfTheUI(t *testing.T) {
	golden(t, filepath.Join("..", "..", "ui", "src", "api", "types.gen.ts"), TypeScript(api.Endpoints))
}

// TestWhole looks for what would make the document useless without making it
// invalid: a reference to nothing, an operation that is lost.
func TestWhole(t *testing.T) {
	d := New(api.Endpoints, "test")
	operations := 0
	for path, item := range d.Paths {
		for method, op := range item {
			operations++
			for _, p := range op.Parameters {
				if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") {
					t.Errorf("%s %s: parameter %q is not in the path", method, path, p.Name)
				}
			}
		}
	}
	if operations != len(api.Endpoints) {
		t.Errorf("the document has %d operations, the table %d", operations, len(api.Endpoints))
	}
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(data), `"$ref":"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if d.Components.Schemas[name] == nil {
			t.Errorf("schema %q is referred to and not there", name)
		}
	}
}

func TestShapes(t *testing.T) {
	s := newSchemas()
	job := operation(s, api.JobsRegister.Endpoint)
	if got := s.named["Job"].Properties["Update"]; len(got.AnyOf) != 2 || got.AnyOf[0].Ref != "#/components/schemas/UpdateStrategy" {
		t.Errorf("an optional block is %+v, want a reference or null", got)
	}
	body := job.RequestBody.Content[mediaJSON].Schema
	if body.Properties["Job"] == nil || body.Properties["Region"] != nil || body.Properties["region"] != nil {
		t.Errorf("the body of %s has %v: want Job, and nothing of the query", job.ID, body.order)
	}
	search := operation(s, api.SearchFuzzy.Endpoint)
	if body := search.RequestBody.Content[mediaJSON].Schema; len(body.Properties) != 2 {
		t.Errorf("the body of a search has %v, want Text and Context", body.order)
	}
	raw := operation(s, api.JobDispatchRaw.Endpoint)
	if _, ok := raw.RequestBody.Content["application/octet-stream"]; !ok {
		t.Errorf("a raw body has %v", raw.RequestBody.Content)
	}
}

// TestTheDocumentSaysWhatIsWritten writes a value of every type of the document
// and compares each member's kind with its schema: a type that writes its own
// JSON must not say one thing and do another.
func TestTheDocumentSaysWhatIsWritten(t *testing.T) {
	s := newSchemas()
	for _, e := range api.Endpoints {
		operation(s, e)
	}
	for name, of := range s.types {
		wrote := sample(of)
		for member := range wrote {
			if s.named[name].Properties[member] == nil {
				t.Errorf("%s writes %s, which is not in its schema", name, member)
			}
		}
		for member, schema := range s.named[name].Properties {
			value, ok := wrote[member]
			if !ok || value == nil || schema.Type == nil {
				continue
			}
			if want := kindOf(value); !strings.Contains(fmt.Sprint(schema.Type), want) && !(want == "number" && strings.Contains(fmt.Sprint(schema.Type), "integer")) {
				t.Errorf("%s.%s is written as a %s, and its schema is %v", name, member, want, schema.Type)
			}
		}
	}
	health := s.named["ServerHealth"].Properties["LastContact"]
	if health == nil || health.Type != "string" {
		t.Errorf("the last contact of a server is %+v, want a text", health)
	}
	if secret := s.named["ACLTokenSecret"].Properties; secret["SecretID"] == nil || secret["ACLToken"] != nil {
		t.Errorf("a token with its secret has the members %v, want those of the token", secret)
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case []any:
		return "array"
	}
	return "object"
}
