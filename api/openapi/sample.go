package openapi

import (
	"encoding/json"
	"reflect"
)

// written is what a type that writes its own JSON really writes: the members of
// one of its values, all of whose fields are set. Nil: the type's fields say it.
type written map[string]any

var marshalerType = reflect.TypeFor[json.Marshaler]()

// marshals says whether a type writes its own JSON.
func marshals(t reflect.Type) bool {
	return t.Implements(marshalerType) || reflect.PointerTo(t).Implements(marshalerType)
}

// sample writes a value of a struct. It panics on a type that cannot write one:
// the document would be wrong about it.
func sample(t reflect.Type) written {
	v := reflect.New(t)
	fill(v.Elem(), 4)
	data, err := json.Marshal(v.Interface())
	if err != nil {
		panic("openapi: sample of " + t.String() + ": " + err.Error())
	}
	var w written
	if err := json.Unmarshal(data, &w); err != nil {
		panic("openapi: sample of " + t.String() + " is no object: " + err.Error())
	}
	return w
}

// agree gives the schema of a member: that of its Go type, unless a text is
// written where the type has a number.
func (w written) agree(name string, of *Schema) *Schema {
	if _, text := w[name].(string); !text {
		return of
	}
	kind, ok := of.Type.(string)
	if !ok || kind != "integer" && kind != "number" {
		return of
	}
	text := &Schema{Type: "string"}
	if of.Description == durationText {
		text.Description = "a duration: 1m30s"
	}
	return text
}

// fill sets what can be set, down to a depth, so that no member is left out as
// empty.
func fill(v reflect.Value, depth int) {
	if depth == 0 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth-1)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth-1)
		}
	}
}
