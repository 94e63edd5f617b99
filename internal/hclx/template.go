package hclx

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// ParseTemplate parses text with ${…} and %{…} in it, as it stands in a string
// of the JSON syntax, within the limits of Parse. Ranges of the result count
// from the start of the text; problems are placed at the given range of the file.
func (f *File) ParseTemplate(text string, at hcl.Range, limits Limits) (hclsyntax.Expression, Problems) {
	limits = limits.withDefaults()
	start := hcl.Pos{Line: 1, Column: 1}
	tokens, _ := hclsyntax.LexTemplate([]byte(text), f.Name, start)
	if ps := f.checkTokens(tokens, limits); len(ps) > 0 {
		return nil, f.moveTo(at, ps)
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(text), f.Name, start)
	if ps := f.Problems(diags); ps.Err() != nil {
		return nil, f.moveTo(at, ps)
	}
	return expr, nil
}

// ParseExpression parses text that is one expression, such as a value given on
// the command line, as ParseTemplate does.
func (f *File) ParseExpression(text string, at hcl.Range, limits Limits) (hclsyntax.Expression, Problems) {
	limits = limits.withDefaults()
	if len(text) > limits.Bytes || roughTokens([]byte(text)) > 2*limits.Tokens {
		return nil, Problems{f.At(at, "a value of %d bytes is too large", len(text))}
	}
	start := hcl.Pos{Line: 1, Column: 1}
	tokens, _ := hclsyntax.LexExpression([]byte(text), f.Name, start)
	if ps := f.checkTokens(tokens, limits); len(ps) > 0 {
		return nil, f.moveTo(at, ps)
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), f.Name, start)
	if ps := f.Problems(diags); ps.Err() != nil {
		return nil, f.moveTo(at, ps)
	}
	return expr, nil
}

// moveTo places problems at a range of the file.
func (f *File) moveTo(at hcl.Range, ps Problems) Problems {
	for i := range ps {
		ps[i].Line, ps[i].Column, ps[i].Source = at.Start.Line, at.Start.Column, f.line(at.Start)
	}
	return ps
}
