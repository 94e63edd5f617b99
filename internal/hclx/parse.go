package hclx

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// File is a parsed source.
type File struct {
	Name   string   // as the caller gave it, for messages
	Source []byte   // as the caller gave it
	JSON   bool     // JSON syntax
	Body   hcl.Body // *hclsyntax.Body unless JSON

	masked map[string]string // stand-in identifier → attribute name that was quoted in the source
}

// IsJSON says by its content whether a source is JSON: its first sign is a brace.
func IsJSON(src []byte) bool {
	src = bytes.TrimPrefix(src, utf8BOM)
	src = bytes.TrimLeft(src, " \t\r\n")
	return len(src) > 0 && src[0] == '{'
}

var utf8BOM = []byte{0xEF, 0xBB, 0xBF}

// Parse parses a source, HCL or JSON by its content. With problems the file is
// still usable for messages (File.At, File.Problems); its Body may be nil.
func Parse(name string, src []byte, limits Limits) (*File, Problems) {
	f := &File{Name: name, Source: bytes.TrimPrefix(src, utf8BOM), JSON: IsJSON(src)}
	limits = limits.withDefaults()
	if ps := f.checkRough(limits); len(ps) > 0 {
		return f, ps
	}
	if f.JSON {
		return f, f.parseJSON(limits)
	}
	return f, f.parseNative(limits)
}

func (f *File) parseJSON(limits Limits) Problems {
	if ps := f.checkJSON(limits); len(ps) > 0 {
		return ps
	}
	file, diags := json.Parse(f.Source, f.Name)
	if diags.HasErrors() {
		return f.Problems(diags)
	}
	f.Body = file.Body
	return f.Problems(diags)
}

func (f *File) parseNative(limits Limits) Problems {
	start := hcl.Pos{Line: 1, Column: 1}
	tokens, _ := hclsyntax.LexConfig(f.Source, f.Name, start) // the parser reports what the lexer finds
	if ps := f.checkTokens(tokens, limits); len(ps) > 0 {
		return ps
	}
	file, diags := hclsyntax.ParseConfig(f.mask(tokens), f.Name, start)
	if file != nil {
		f.Body = file.Body
	}
	return f.Problems(diags)
}

// Key gives the name of an attribute as the source has it: attributes whose
// names were quoted appear in Body under stand-in identifiers.
func (f *File) Key(identifier string) string {
	if name, ok := f.masked[identifier]; ok {
		return name
	}
	return identifier
}
