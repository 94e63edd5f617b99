package api

import (
	"reflect"
	"strings"
	"sync"
)

// fieldInfo is what the decoder knows of a struct's field.
type fieldInfo struct {
	index int
	json  string
	fold  string // json in lower case
	hcl   string // name without options; empty for labels and what the server sets
}

var fieldCache sync.Map // reflect.Type → []fieldInfo

// fieldsOf lists the fields of a struct that JSON carries, in their order.
func fieldsOf(t reflect.Type) []fieldInfo {
	if c, ok := fieldCache.Load(t); ok {
		return c.([]fieldInfo)
	}
	var out []fieldInfo
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		hcl, _, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		if hcl == "-" {
			hcl = ""
		}
		if hcl == "" {
			hcl = strings.ToLower(f.Name)
		}
		out = append(out, fieldInfo{index: i, json: name, fold: strings.ToLower(name), hcl: hcl})
	}
	fieldCache.Store(t, out)
	return out
}

// keyFolds finds the fields of an object whatever the case of its keys.
type keyFolds struct {
	obj   map[string]any
	folds map[string]string // lower case → key; made when first needed
}

// find gives the value of a field: by its exact name, else in any case.
func (k *keyFolds) find(f fieldInfo) (any, bool) {
	if node, ok := k.obj[f.json]; ok {
		return node, true
	}
	if k.folds == nil {
		k.folds = make(map[string]string, len(k.obj))
		for _, key := range sortedKeys(k.obj) {
			k.folds[strings.ToLower(key)] = key
		}
	}
	key, ok := k.folds[f.fold]
	return k.obj[key], ok
}

// lookup finds one value of an object by its name, in any case.
func lookup(obj map[string]any, name string) any {
	if v, ok := obj[name]; ok {
		return v
	}
	for _, k := range sortedKeys(obj) {
		if strings.EqualFold(k, name) {
			return obj[k]
		}
	}
	return nil
}

// lookupText is lookup for a text; empty when it is absent or something else.
func lookupText(obj map[string]any, name string) string {
	s, _ := lookup(obj, name).(string)
	return s
}
