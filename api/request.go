package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A request struct says where each of its fields travels: `path:"id"` in the
// path, `query:"all"` in the query string, `body:""` alone in the body as JSON,
// `body:"raw"` alone in the body as it is, up to the bytes of its tag `limit`;
// the remaining fields are the members of a JSON object in the body.

type place int

const (
	inPath place = iota
	inQuery
	inBody
	inRaw
)

type requestField struct {
	name  string
	place place
	index []int
}

// requestShape is what the tags of a request type say.
type requestShape struct {
	fields  []requestField
	hasBody bool  // a JSON object or a `body` field
	raw     int64 // the most bytes of a body that is not JSON; 0: it is
}

var requestShapes sync.Map // reflect.Type → *requestShape

func shapeOf(t reflect.Type) *requestShape {
	if s, ok := requestShapes.Load(t); ok {
		return s.(*requestShape)
	}
	s := &requestShape{}
	s.collect(t, nil)
	requestShapes.Store(t, s)
	return s
}

func (s *requestShape) collect(t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int(nil), index...), i)
		if name, ok := f.Tag.Lookup("path"); ok {
			s.fields = append(s.fields, requestField{name, inPath, at})
		} else if name, ok := f.Tag.Lookup("query"); ok {
			s.fields = append(s.fields, requestField{name, inQuery, at})
		} else if f.Tag.Get("body") == "raw" {
			s.fields = append(s.fields, requestField{"", inRaw, at})
			s.raw, _ = strconv.ParseInt(f.Tag.Get("limit"), 10, 64)
			s.hasBody = true
		} else if _, ok := f.Tag.Lookup("body"); ok {
			s.fields = append(s.fields, requestField{"", inBody, at})
			s.hasBody = true
		} else if f.Anonymous && f.Type.Kind() == reflect.Struct {
			s.collect(f.Type, at)
		} else if f.Tag.Get("json") != "-" {
			s.hasBody = true
		}
	}
}

// HasBody says whether the operation's request has a body.
func (e *Endpoint) HasBody() bool { return shapeOf(e.Request).hasBody }

// RawBody says whether that body is bytes and not JSON.
func (e *Endpoint) RawBody() bool { return shapeOf(e.Request).raw > 0 }

// PathValue gives the value that a request has for a wildcard of its path; empty
// when it has none. req points to the request.
func PathValue(req any, name string) string {
	v := reflect.ValueOf(req).Elem()
	for _, f := range shapeOf(v.Type()).fields {
		if f.place == inPath && f.name == name {
			return v.FieldByIndex(f.index).String()
		}
	}
	return ""
}

// DecodeRequest fills the request struct that req points to. path gives the
// values of the path's wildcards; body may be nil. Errors are of kind
// ErrInvalid and name the parameter.
func DecodeRequest(req any, path func(name string) string, query url.Values, body io.Reader) error {
	v := reflect.ValueOf(req).Elem()
	shape := shapeOf(v.Type())
	if shape.hasBody && body != nil {
		read := decodeBody
		if shape.raw > 0 {
			read = rawBody
		}
		if err := read(v, shape, body); err != nil {
			return err
		}
	}
	for _, f := range shape.fields {
		target := v.FieldByIndex(f.index)
		switch f.place {
		case inPath:
			target.SetString(path(f.name))
		case inQuery:
			if values, ok := query[f.name]; ok && len(values) > 0 {
				if err := setParameter(target, values); err != nil {
					return Errorf(ErrInvalid, "query parameter %q: %v", f.name, err)
				}
			}
		}
	}
	return nil
}

func decodeBody(v reflect.Value, shape *requestShape, body io.Reader) error {
	target := v.Addr().Interface()
	for _, f := range shape.fields {
		if f.place == inBody {
			target = v.FieldByIndex(f.index).Addr().Interface()
		}
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read request body: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, target); err != nil {
		return bodyError(data, err)
	}
	return nil
}

// rawBody takes a body as it is.
func rawBody(v reflect.Value, shape *requestShape, body io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(body, shape.raw+1))
	if err != nil {
		return fmt.Errorf("read request body: %w", err)
	}
	if int64(len(data)) > shape.raw {
		return Errorf(ErrInvalid, "request body: is larger than the %d bytes that are allowed", shape.raw)
	}
	for _, f := range shape.fields {
		if f.place == inRaw {
			v.FieldByIndex(f.index).SetBytes(data)
		}
	}
	return nil
}

// bodyError says where in a body decoding stopped.
func bodyError(data []byte, err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		line, column := position(data, syntax.Offset)
		return Errorf(ErrInvalid, "request body, line %d, column %d: %v", line, column, syntax)
	case errors.As(err, &mismatch):
		line, column := position(data, mismatch.Offset)
		field := mismatch.Field
		if field == "" {
			field = "value"
		}
		return Errorf(ErrInvalid, "request body, line %d, column %d: %s: a JSON %s cannot be a %s",
			line, column, field, mismatch.Value, mismatch.Type)
	case errors.Is(err, ErrInvalid):
		return err
	}
	return Errorf(ErrInvalid, "request body: %v", err)
}

func position(data []byte, offset int64) (line, column int) {
	head := data[:min(int(offset), len(data))]
	line = bytes.Count(head, []byte("\n")) + 1
	column = len(head) - bytes.LastIndexByte(head, '\n')
	return line, column
}

var durationType = reflect.TypeFor[Duration]()

func setParameter(v reflect.Value, values []string) error {
	s := values[0]
	if v.Type() == durationType {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a duration; write it like \"30s\"", s)
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := setParameter(p.Elem(), values); err != nil {
			return err
		}
		v.Set(p)
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		if s == "" { // present without a value: ?stale
			v.SetBool(true)
			return nil
		}
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number from 0", s)
		}
		v.SetUint(n)
	case reflect.Slice:
		v.Set(reflect.ValueOf(append([]string(nil), values...)))
	default:
		panic("api: a request field has a type that no query parameter can fill: " + v.Type().String())
	}
	return nil
}

// EncodeRequest gives the path (escaped), query and body of a request; body is
// nil where the operation has none.
func EncodeRequest(e *Endpoint, req any) (path string, query url.Values, body []byte, err error) {
	v := reflect.Indirect(reflect.ValueOf(req))
	shape := shapeOf(v.Type())
	path, query = e.Path, url.Values{}
	content := v.Addr().Interface()
	for _, f := range shape.fields {
		value := v.FieldByIndex(f.index)
		switch f.place {
		case inPath:
			if value.String() == "" {
				return "", nil, nil, Errorf(ErrInvalid, "%s: the request names no %s", e.Name, f.name)
			}
			path = strings.Replace(path, "{"+f.name+"}", url.PathEscape(value.String()), 1)
		case inQuery:
			if !value.IsZero() {
				query[f.name] = parameter(value)
			}
		case inBody:
			content = value.Interface()
		case inRaw:
			body = append([]byte{}, value.Bytes()...)
		}
	}
	if shape.hasBody && shape.raw == 0 {
		if body, err = json.Marshal(content); err != nil {
			return "", nil, nil, fmt.Errorf("%s: encode request: %w", e.Name, err)
		}
	}
	return path, query, body, nil
}

func parameter(v reflect.Value) []string {
	if v.Kind() == reflect.Pointer {
		return parameter(v.Elem())
	}
	if v.Kind() == reflect.Slice {
		return v.Interface().([]string)
	}
	return []string{fmt.Sprint(v.Interface())}
}
