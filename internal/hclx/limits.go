package hclx

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits bounds a source before it is parsed. The zero value of a field means its default.
type Limits struct {
	Bytes  int // size of the source
	Depth  int // brackets, braces, parentheses, strings and directives inside each other
	Chain  int // operators, indexes and unary signs in one expression without a bracket or comma between
	Tokens int // words and signs in the source
}

// DefaultLimits are generous for anything written by a person: 1 MiB, 64 levels.
var DefaultLimits = Limits{Bytes: 1 << 20, Depth: 64, Chain: 256, Tokens: 200_000}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = DefaultLimits.Bytes
	}
	if l.Depth <= 0 {
		l.Depth = DefaultLimits.Depth
	}
	if l.Chain <= 0 {
		l.Chain = DefaultLimits.Chain
	}
	if l.Tokens <= 0 {
		l.Tokens = DefaultLimits.Tokens
	}
	return l
}

// roughTokens is a lower-cost estimate of the number of tokens in a source. It
// never allocates, so that a source of a million brackets is refused before the
// lexer makes a hundred megabytes of tokens of it. Text of one kind counts once.
func roughTokens(src []byte) int {
	n, last := 0, byte(0)
	for _, c := range src {
		var class byte
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			class = 's'
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == '/' || c >= 0x80:
			class = 'w'
		default:
			class = 0
		}
		if class == 0 || class != last && class != 's' {
			n++
		}
		last = class
	}
	return n
}

// checkRough refuses what the size alone shows to be too much.
func (f *File) checkRough(l Limits) Problems {
	if len(f.Source) > l.Bytes {
		return Problems{{File: f.Name, Message: fmt.Sprintf("the file has %d bytes; at most %d are allowed", len(f.Source), l.Bytes)}}
	}
	if roughTokens(f.Source) > 2*l.Tokens {
		return Problems{f.tooManyTokens(l)}
	}
	return nil
}

func (f *File) tooManyTokens(l Limits) Problem {
	return Problem{File: f.Name, Message: fmt.Sprintf("the file has more than %d words and signs", l.Tokens)}
}

// level is what checkTokens knows about one open bracket.
type level struct {
	close    hclsyntax.TokenType
	chain    int
	newlines bool // a newline ends an expression here
}

// checkTokens follows the brackets and operator chains of an HCL source.
func (f *File) checkTokens(tokens hclsyntax.Tokens, l Limits) Problems {
	if len(tokens) > l.Tokens {
		return Problems{f.tooManyTokens(l)}
	}
	stack := []level{{newlines: true}}
	directives, strings := 0, 0 // directives since the outermost open string, and open strings
	for i, t := range tokens {
		top := &stack[len(stack)-1]
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			top.chain++
			if t.Type == hclsyntax.TokenTemplateControl {
				directives++
			}
			if inTemplate(closing(t.Type)) {
				strings++
			}
			stack = append(stack, level{close: closing(t.Type), newlines: t.Type == hclsyntax.TokenOBrace})
			if len(stack) > l.Depth+1 {
				return Problems{f.At(t.Range, "nested more than %d levels deep", l.Depth)}
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
			if inTemplate(t.Type) {
				if strings--; strings <= 0 {
					directives, strings = 0, 0
				}
			}
		case hclsyntax.TokenComma:
			top.chain = 0
		case hclsyntax.TokenNewline, hclsyntax.TokenComment: // a line comment holds its newline
			if top.newlines && bytes.HasSuffix(t.Bytes, []byte("\n")) {
				top.chain = 0
			}
		case hclsyntax.TokenNumberLit:
			if hugeNumber(t.Bytes) {
				return Problems{f.At(t.Range, "a number out of range")}
			}
		case hclsyntax.TokenIdent, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenEOF:
		default:
			top.chain++
		}
		if top := stack[len(stack)-1]; top.chain > l.Chain && !inTemplate(top.close) {
			return Problems{f.At(tokens[i].Range, "an expression of more than %d operators", l.Chain)}
		}
		if directives > l.Chain {
			return Problems{f.At(tokens[i].Range, "a template of more than %d directives", l.Chain)}
		}
	}
	return nil
}

// maxNumberDigits bounds a number; more needs no job and costs quadratic time.
const maxNumberDigits = 400

// hugeNumber says whether a number literal (or what follows from its exponent sign on)
// is too long or has an exponent of four digits or more: writing such a number out
// again takes the library minutes.
func hugeNumber(literal []byte) bool {
	if len(literal) > maxNumberDigits {
		return true
	}
	at := bytes.IndexAny(literal, "eE")
	if at < 0 {
		return false
	}
	exponent := bytes.TrimLeft(bytes.TrimLeft(literal[at+1:], "+-"), "0")
	digits := 0
	for digits < len(exponent) && exponent[digits] >= '0' && exponent[digits] <= '9' {
		digits++
	}
	return digits > 3
}

// inTemplate says that many parts side by side are harmless: they are a flat list.
func inTemplate(close hclsyntax.TokenType) bool {
	return close == hclsyntax.TokenCQuote || close == hclsyntax.TokenCHeredoc
}

func closing(open hclsyntax.TokenType) hclsyntax.TokenType {
	switch open {
	case hclsyntax.TokenOBrace:
		return hclsyntax.TokenCBrace
	case hclsyntax.TokenOBrack:
		return hclsyntax.TokenCBrack
	case hclsyntax.TokenOParen:
		return hclsyntax.TokenCParen
	case hclsyntax.TokenOQuote:
		return hclsyntax.TokenCQuote
	case hclsyntax.TokenOHeredoc:
		return hclsyntax.TokenCHeredoc
	}
	return hclsyntax.TokenTemplateSeqEnd
}

// checkJSON follows the brackets of a JSON source outside its strings.
func (f *File) checkJSON(l Limits) Problems {
	depth, inString := 0, false
	for i := 0; i < len(f.Source); i++ {
		c := f.Source[i]
		switch {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case (c == 'e' || c == 'E') && hugeNumber(f.Source[i:min(len(f.Source), i+24)]):
			return Problems{f.At(f.rangeAt(i), "a number out of range")}
		case c == '{' || c == '[':
			if depth++; depth > l.Depth {
				return Problems{f.At(f.rangeAt(i), "nested more than %d levels deep", l.Depth)}
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// rangeAt gives the empty range at a byte offset.
func (f *File) rangeAt(offset int) hcl.Range {
	pos := hcl.Pos{Line: 1, Column: 1, Byte: offset}
	for _, c := range string(f.Source[:offset]) {
		if c == '\n' {
			pos.Line++
			pos.Column = 1
		} else {
			pos.Column++
		}
	}
	return hcl.Range{Filename: f.Name, Start: pos, End: pos}
}
