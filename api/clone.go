package api

import (
	"reflect"
	"sync"
	"time"
)

// Clone gives a deep copy of an object: nothing that can be written to is
// shared with the original. Unexported fields are not copied; the types of
// this package have none.
func Clone[T any](v T) T {
	var out T
	src := reflect.ValueOf(&v).Elem()
	copierOf(src.Type())(reflect.ValueOf(&out).Elem(), src)
	return out
}

// copier copies src into dst, which is a zero value of the same type.
type copier func(dst, src reflect.Value)

var copiers sync.Map // reflect.Type → copier

// copierOf gives the copier of a type and makes it when it is first asked for.
func copierOf(t reflect.Type) copier {
	if c, ok := copiers.Load(t); ok {
		return c.(copier)
	}
	// A type may hold itself: until its copier is made, others look it up when they run.
	if flat(t) {
		copiers.Store(t, copier(assign))
		return assign
	}
	var made copier
	var once sync.Once
	late := func(dst, src reflect.Value) {
		once.Do(func() { made = newCopier(t) })
		made(dst, src)
	}
	c, _ := copiers.LoadOrStore(t, copier(late))
	return c.(copier)
}

func assign(dst, src reflect.Value) { dst.Set(src) }

// flat says whether assigning a value of a type copies all of it.
func flat(t reflect.Type) bool {
	if t == reflect.TypeFor[time.Time]() {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return false
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
	}
	return true
}

func newCopier(t reflect.Type) copier {
	switch t.Kind() {
	case reflect.Pointer:
		return pointerCopier(t)
	case reflect.Slice:
		return sliceCopier(t)
	case reflect.Map:
		return mapCopier(t)
	case reflect.Interface:
		return func(dst, src reflect.Value) {
			if src.IsNil() {
				return
			}
			held := reflect.New(src.Elem().Type()).Elem()
			copierOf(held.Type())(held, src.Elem())
			dst.Set(held)
		}
	case reflect.Struct:
		return structCopier(t)
	case reflect.Array:
		elem := copierOf(t.Elem())
		return func(dst, src reflect.Value) {
			for i := range src.Len() {
				elem(dst.Index(i), src.Index(i))
			}
		}
	}
	panic("api: cannot clone a " + t.String())
}

func pointerCopier(t reflect.Type) copier {
	elem := copierOf(t.Elem())
	return func(dst, src reflect.Value) {
		if src.IsNil() {
			return
		}
		p := reflect.New(t.Elem())
		elem(p.Elem(), src.Elem())
		dst.Set(p)
	}
}

func sliceCopier(t reflect.Type) copier {
	elem, plain := copierOf(t.Elem()), flat(t.Elem())
	return func(dst, src reflect.Value) {
		if src.IsNil() {
			return
		}
		out := reflect.MakeSlice(t, src.Len(), src.Len())
		if plain {
			reflect.Copy(out, src)
		} else {
			for i := range src.Len() {
				elem(out.Index(i), src.Index(i))
			}
		}
		dst.Set(out)
	}
}

func mapCopier(t reflect.Type) copier {
	elem := copierOf(t.Elem())
	return func(dst, src reflect.Value) {
		if src.IsNil() {
			return
		}
		out := reflect.MakeMapWithSize(t, src.Len())
		for it := src.MapRange(); it.Next(); {
			v := reflect.New(t.Elem()).Elem()
			elem(v, it.Value())
			out.SetMapIndex(it.Key(), v)
		}
		dst.Set(out)
	}
}

// structCopier assigns the struct as a whole and then replaces what it shares.
func structCopier(t reflect.Type) copier {
	type deep struct {
		index int
		copy  copier
	}
	var fields []deep
	for i := range t.NumField() {
		f := t.Field(i)
		if f.IsExported() && !flat(f.Type) {
			fields = append(fields, deep{i, copierOf(f.Type)})
		}
	}
	return func(dst, src reflect.Value) {
		dst.Set(src)
		for _, f := range fields {
			d := dst.Field(f.index)
			d.SetZero()
			f.copy(d, src.Field(f.index))
		}
	}
}
