package wire

import (
	"reflect"
	"time"
)

// Same reports whether two values of one type would be told apart by nobody:
// like reflect.DeepEqual, but an empty slice or map is the same as none, and
// unexported fields do not count.
func Same(a, b any) bool { return same(reflect.ValueOf(a), reflect.ValueOf(b)) }

func same(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		if a.Kind() == reflect.Pointer && a.Pointer() == b.Pointer() {
			return true
		}
		return same(a.Elem(), b.Elem())
	case reflect.Slice, reflect.Array:
		return sameList(a, b)
	case reflect.Map:
		return sameMap(a, b)
	case reflect.Struct:
		return sameStruct(a, b)
	}
	return a.Equal(b)
}

func sameList(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if !same(a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

func sameMap(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for it := a.MapRange(); it.Next(); {
		v := b.MapIndex(it.Key())
		if !v.IsValid() || !same(it.Value(), v) {
			return false
		}
	}
	return true
}

func sameStruct(a, b reflect.Value) bool {
	if t, ok := a.Interface().(time.Time); ok {
		return t.Equal(b.Interface().(time.Time))
	}
	for i := range a.NumField() {
		if a.Type().Field(i).IsExported() && !same(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}
