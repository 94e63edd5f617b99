package openapi

import (
	"reflect"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
)

// Schema is a JSON Schema, as far as Go types need it.
type Schema struct {
	Ref                  string             `json:"$ref,omitempty"`
	Type                 any                `json:"type,omitempty"` // a name, or names
	Format               string             `json:"format,omitempty"`
	Description          string             `json:"description,omitempty"`
	Properties           map[string]*Schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	Items                *Schema            `json:"items,omitempty"`
	AdditionalProperties *Schema            `json:"additionalProperties,omitempty"`
	AnyOf                []*Schema          `json:"anyOf,omitempty"`

	order []string // of the properties, as in the Go type
}

// durationText says what a duration's number is.
const durationText = "nanoseconds"

// null is what an absent object is.
var null = &Schema{Type: "null"}

// schemas collects the named types on its way.
type schemas struct {
	named map[string]*Schema
	types map[string]reflect.Type
	order []string
}

func newSchemas() *schemas {
	return &schemas{named: map[string]*Schema{}, types: map[string]reflect.Type{}}
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[api.Duration]()
	secretType   = reflect.TypeFor[api.Sensitive]()
	bytesType    = reflect.TypeFor[[]byte]()
	noneType     = reflect.TypeFor[api.None]()
)

// answer is the schema of a response: at the top, a list is never null.
func (s *schemas) answer(t reflect.Type) *Schema {
	switch {
	case t == noneType:
		return &Schema{Type: "object", Properties: map[string]*Schema{}}
	case t.Kind() == reflect.Pointer:
		return s.of(t.Elem())
	case t.Kind() == reflect.Slice:
		return &Schema{Type: "array", Items: s.element(t.Elem())}
	}
	return s.of(t)
}

// request is the schema of a request's body: the field that is the whole body,
// or the members that are in no other place.
func (s *schemas) request(t reflect.Type) *Schema {
	for _, f := range fields(t) {
		if _, ok := f.Tag.Lookup("body"); ok {
			return s.element(f.Type)
		}
	}
	body := &Schema{Type: "object", Properties: map[string]*Schema{}}
	for _, f := range fields(t) {
		if name, _ := jsonName(f); name != "" {
			body.add(name, s.of(f.Type))
		}
	}
	return body
}

// parameter is the schema of a value in the query.
func (s *schemas) parameter(t reflect.Type) *Schema {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == durationType {
		return &Schema{Type: "string", Description: "a duration: 30s"}
	}
	if t.Kind() == reflect.Slice {
		return &Schema{Type: "array", Items: s.of(t.Elem())}
	}
	return s.of(t)
}

// of is the schema of a value.
func (s *schemas) of(t reflect.Type) *Schema {
	switch t {
	case timeType:
		return &Schema{Type: "string", Format: "date-time"}
	case durationType:
		return &Schema{Type: "integer", Format: "int64", Description: durationText}
	case secretType:
		return &Schema{Type: "string", Description: "never shown"}
	case bytesType:
		return &Schema{Type: []string{"string", "null"}, Format: "byte"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &Schema{Type: "integer"}
	case reflect.Float32, reflect.Float64:
		return &Schema{Type: "number"}
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Pointer:
		return orNull(s.of(t.Elem()))
	case reflect.Slice:
		return &Schema{Type: []string{"array", "null"}, Items: s.element(t.Elem())}
	case reflect.Map:
		return &Schema{Type: []string{"object", "null"}, AdditionalProperties: s.element(t.Elem())}
	case reflect.Struct:
		return s.object(t)
	}
	return &Schema{} // any value
}

// element is the schema of an element of a list or map: objects in them are
// never null.
func (s *schemas) element(t reflect.Type) *Schema {
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		return s.of(t.Elem())
	}
	return s.of(t)
}

func orNull(x *Schema) *Schema {
	if name, ok := x.Type.(string); ok && x.Ref == "" && len(x.Properties) == 0 {
		x.Type = []string{name, "null"}
		return x
	}
	return &Schema{AnyOf: []*Schema{x, null}}
}

func (s *schemas) object(t reflect.Type) *Schema {
	name := t.Name()
	ref := &Schema{Ref: "#/components/schemas/" + name}
	if seen, ok := s.types[name]; ok {
		if seen != t {
			panic("openapi: two types are named " + name + ": " + seen.String() + " and " + t.String())
		}
		return ref
	}
	s.types[name] = t
	object := &Schema{Type: "object", Properties: map[string]*Schema{}}
	s.named[name] = object
	s.order = append(s.order, name)
	var written written
	if marshals(t) {
		written = sample(t)
	}
	for _, f := range fields(t) {
		name, optional := jsonName(f)
		if name == "" {
			continue
		}
		object.add(name, written.agree(name, s.of(f.Type)))
		if !optional {
			object.Required = append(object.Required, name)
		}
	}
	return ref
}

func (s *Schema) add(name string, property *Schema) {
	s.Properties[name] = property
	s.order = append(s.order, name)
}

// fields are the exported fields of a struct, those of embedded ones included.
func fields(t reflect.Type) []reflect.StructField {
	var list []reflect.StructField
	for f := range structFields(t) {
		if at := embedded(f); at != nil && f.Tag.Get("json") == "" {
			list = append(list, fields(at)...)
			continue
		}
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			list = append(list, queryFields(f.Type)...)
			continue
		}
		if f.IsExported() {
			list = append(list, f)
		}
	}
	return list
}

// embedded is the struct that a field embeds, also by a pointer; nil: none.
func embedded(f reflect.StructField) reflect.Type {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !f.Anonymous || t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// queryFields are the fields of an embedded struct that is no part of the body.
func queryFields(t reflect.Type) []reflect.StructField {
	var list []reflect.StructField
	for f := range structFields(t) {
		if _, ok := f.Tag.Lookup("query"); ok {
			list = append(list, f)
		}
	}
	return list
}

func structFields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// jsonName is the field's name in JSON, empty when it is not there, and whether
// it is left out when empty.
func jsonName(f reflect.StructField) (name string, optional bool) {
	tag := f.Tag.Get("json")
	if tag == "-" {
		return "", false
	}
	name, options, _ := strings.Cut(tag, ",")
	if name == "" {
		name = f.Name
	}
	return name, strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
}
