package config

import (
	"reflect"
	"strings"
)

// fieldTag is what the tags of a field say.
type fieldTag struct {
	name     string
	labelled bool   // a map of blocks by label
	unit     string // "size" for sizes in bytes
	effect   string // "none": accepted without effect; "refused": an error when set
}

func tagOf(f reflect.StructField) (fieldTag, bool) {
	tag, ok := f.Tag.Lookup("hcl")
	if !ok {
		return fieldTag{}, false
	}
	name, kind, _ := strings.Cut(tag, ",")
	return fieldTag{name: name, labelled: kind == "label", unit: f.Tag.Get("unit"), effect: f.Tag.Get("effect")}, true
}

// fieldOf finds the field that a key sets.
func fieldOf(v reflect.Value, name string) (reflect.Value, fieldTag, bool) {
	for i := range v.NumField() {
		if tag, ok := tagOf(v.Type().Field(i)); ok && tag.name == name {
			return v.Field(i), tag, true
		}
	}
	return reflect.Value{}, fieldTag{}, false
}

func fieldNames(v reflect.Value) []string {
	var names []string
	for i := range v.NumField() {
		if tag, ok := tagOf(v.Type().Field(i)); ok {
			names = append(names, tag.name)
		}
	}
	return names
}

// misplaced names a block that knows the key, when exactly one other does.
func misplaced(name, path string) string {
	var found []string
	if path != "" {
		if known, _ := acceptedKey("", name); known || hasField(reflect.TypeFor[Agent](), name) {
			found = append(found, "the top level of the file")
		}
	}
	root := reflect.TypeFor[Agent]()
	for i := range root.NumField() {
		f := root.Field(i)
		tag, ok := tagOf(f)
		if !ok || f.Type.Kind() != reflect.Struct || tag.name == path {
			continue
		}
		if known, _ := acceptedKey(tag.name, name); known || hasField(f.Type, name) {
			found = append(found, "the "+tag.name+" block")
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

func hasField(t reflect.Type, name string) bool {
	for i := range t.NumField() {
		if tag, ok := tagOf(t.Field(i)); ok && tag.name == name {
			return true
		}
	}
	return false
}
