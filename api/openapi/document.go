package openapi

import (
	"regexp"
	"strings"

	"github.com/seraihq/serai/api"
)

// Document is an OpenAPI 3.1 document.
type Document struct {
	OpenAPI    string              `json:"openapi"`
	Info       Info                `json:"info"`
	Paths      map[string]PathItem `json:"paths"`
	Components Components          `json:"components"`
}

// Info names what a document describes.
type Info struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

// PathItem are the operations of a path, by method in lower case.
type PathItem map[string]*Operation

// Operation is one endpoint.
type Operation struct {
	ID          string               `json:"operationId"`
	Tags        []string             `json:"tags"`
	Capability  string               `json:"x-capability,omitempty"` // that a token needs
	Parameters  []Parameter          `json:"parameters,omitempty"`
	RequestBody *Body                `json:"requestBody,omitempty"`
	Responses   map[string]*Response `json:"responses"`
}

// Parameter is a value in the path or in the query.
type Parameter struct {
	Name     string  `json:"name"`
	In       string  `json:"in"` // path or query
	Required bool    `json:"required,omitempty"`
	Schema   *Schema `json:"schema"`
}

// Body is the content of a request, by media type.
type Body struct {
	Required bool             `json:"required"`
	Content  map[string]Media `json:"content"`
}

// Response is the content of an answer, by media type.
type Response struct {
	Description string           `json:"description"`
	Content     map[string]Media `json:"content,omitempty"`
}

// Media says what content looks like.
type Media struct {
	Schema *Schema `json:"schema,omitempty"`
}

// Components are the schemas that others refer to.
type Components struct {
	Schemas map[string]*Schema `json:"schemas"`
}

const mediaJSON = "application/json"

// New makes the document of a table of endpoints. version is that of the agent.
func New(endpoints []*api.Endpoint, version string) *Document {
	d := &Document{
		OpenAPI: "3.1.0",
		Info: Info{
			Title:       "serai",
			Version:     version,
			Description: "The HTTP API of a serai agent. PUT and POST mean the same. Errors are plain text. A token goes into the header X-Nomad-Token.",
		},
		Paths: map[string]PathItem{},
	}
	s := newSchemas()
	for _, e := range endpoints {
		item := d.Paths[e.Path]
		if item == nil {
			item = PathItem{}
			d.Paths[e.Path] = item
		}
		item[strings.ToLower(e.Method)] = operation(s, e)
	}
	d.Components.Schemas = s.named
	return d
}

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

func operation(s *schemas, e *api.Endpoint) *Operation {
	object, _, _ := strings.Cut(e.Name, ".")
	o := &Operation{
		ID: e.Name, Tags: []string{object}, Capability: e.Capability,
		Parameters: parameters(s, e),
		Responses: map[string]*Response{
			"200":     {Description: "what was asked for", Content: map[string]Media{"*/*": {}}},
			"default": {Description: "an error, in words", Content: map[string]Media{"text/plain": {Schema: &Schema{Type: "string"}}}},
		},
	}
	if !e.Stream {
		o.Responses["200"].Content = map[string]Media{mediaJSON: {Schema: s.answer(e.Response)}}
	}
	switch {
	case e.RawBody():
		o.RequestBody = &Body{Required: true, Content: map[string]Media{"application/octet-stream": {}}}
	case e.HasBody():
		o.RequestBody = &Body{Required: true, Content: map[string]Media{mediaJSON: {Schema: s.request(e.Request)}}}
	}
	return o
}

func parameters(s *schemas, e *api.Endpoint) []Parameter {
	var list []Parameter
	for _, m := range wildcard.FindAllStringSubmatch(e.Path, -1) {
		list = append(list, Parameter{Name: m[1], In: "path", Required: true, Schema: &Schema{Type: "string"}})
	}
	for _, f := range fields(e.Request) {
		if name, ok := f.Tag.Lookup("query"); ok {
			list = append(list, Parameter{Name: name, In: "query", Schema: s.parameter(f.Type)})
		}
	}
	return list
}
