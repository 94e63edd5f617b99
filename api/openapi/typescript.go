package openapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

// TypeScript gives the source of the types of all that a table of endpoints
// takes and answers, and of the operations themselves.
func TypeScript(endpoints []*api.Endpoint) string {
	s := newSchemas()
	type entry struct {
		e  *api.Endpoint
		op *Operation
	}
	var list []entry
	for _, e := range endpoints {
		list = append(list, entry{e, operation(s, e)})
	}
	var b strings.Builder
	b.WriteString("// Generated from the endpoint table by `go test ./api/openapi -update`. Do not edit.\n")
	slices.Sort(s.order)
	for _, name := range s.order {
		fmt.Fprintf(&b, "\nexport interface %s %s\n", name, members(s.named[name], ""))
	}
	b.WriteString("\nexport interface Operations {\n")
	for _, x := range list {
		fmt.Fprintf(&b, "  %q: { path: %s; query: %s; body: %s; response: %s };\n",
			x.op.ID, places(x.op, "path"), places(x.op, "query"), bodyType(x.op), responseType(x.op))
	}
	b.WriteString("}\n\nexport type OperationName = keyof Operations;\n")
	b.WriteString("\nexport const operations: { readonly [K in OperationName]: readonly [method: string, path: string, capability: string] } = {\n")
	for _, x := range list {
		fmt.Fprintf(&b, "  %q: [%q, %q, %q],\n", x.op.ID, x.e.Method, x.e.Path, x.e.Capability)
	}
	b.WriteString("};\n")
	return b.String()
}

func places(op *Operation, in string) string {
	var parts []string
	for _, p := range op.Parameters {
		if p.In != in {
			continue
		}
		mark := "?"
		if p.Required {
			mark = ""
		}
		parts = append(parts, fmt.Sprintf("%s%s: %s", p.Name, mark, typeOf(p.Schema, "")))
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, "; ") + " }"
}

func bodyType(op *Operation) string {
	if op.RequestBody == nil {
		return "undefined"
	}
	if media, ok := op.RequestBody.Content[mediaJSON]; ok {
		return typeOf(media.Schema, "  ")
	}
	return "Blob | string"
}

func responseType(op *Operation) string {
	if media, ok := op.Responses["200"].Content[mediaJSON]; ok {
		return typeOf(media.Schema, "")
	}
	return "Response"
}

// members writes the members of an object.
func members(s *Schema, indent string) string {
	if len(s.order) == 0 {
		return "{}"
	}
	var b strings.Builder
	b.WriteString("{\n")
	for _, name := range s.order {
		mark := "?"
		if slices.Contains(s.Required, name) {
			mark = ""
		}
		fmt.Fprintf(&b, "%s  %s%s: %s;\n", indent, key(name), mark, typeOf(s.Properties[name], indent+"  "))
	}
	b.WriteString(indent + "}")
	return b.String()
}

// key quotes a member's name where it must be.
func key(name string) string {
	if strings.ContainsAny(name, "-. ") {
		quoted, _ := json.Marshal(name)
		return string(quoted)
	}
	return name
}

func typeOf(s *Schema, indent string) string {
	if s.Ref != "" {
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	}
	if len(s.AnyOf) > 0 {
		var parts []string
		for _, x := range s.AnyOf {
			parts = append(parts, typeOf(x, indent))
		}
		return strings.Join(parts, " | ")
	}
	switch t := s.Type.(type) {
	case string:
		return plain(t, s, indent)
	case []string:
		return plain(t[0], s, indent) + " | null"
	}
	return "unknown"
}

func plain(name string, s *Schema, indent string) string {
	switch name {
	case "integer", "number":
		return "number"
	case "array":
		item := typeOf(s.Items, indent)
		if strings.Contains(item, " | ") {
			item = "(" + item + ")"
		}
		return item + "[]"
	case "object":
		if s.AdditionalProperties != nil {
			return "Record<string, " + typeOf(s.AdditionalProperties, indent) + ">"
		}
		return members(s, indent)
	}
	return name
}
