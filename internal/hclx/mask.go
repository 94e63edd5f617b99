package hclx

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// mask gives the source with every quoted attribute name of a body replaced by
// an identifier of the same length in bytes, so that no position changes. The
// names are kept for Key.
func (f *File) mask(tokens hclsyntax.Tokens) []byte {
	quoted := quotedNames(tokens)
	if len(quoted) == 0 {
		return f.Source
	}
	taken := map[string]bool{}
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenIdent {
			taken[string(t.Bytes)] = true
		}
	}
	src := bytes.Clone(f.Source)
	f.masked = map[string]string{}
	standIn := map[string]string{} // so that the parser still sees duplicates
	next := map[int]int{}          // by length: the first identifier that was not tried yet
	for _, at := range quoted {
		start, end := tokens[at].Range.Start.Byte, tokens[at+2].Range.End.Byte
		raw := string(src[start:end])
		name, err := strconv.Unquote(raw)
		if err != nil {
			continue // the parser will say what is wrong with it
		}
		id, ok := standIn[raw]
		if !ok {
			if id, ok = identifier(end-start, taken, next); !ok {
				continue
			}
			standIn[raw], taken[id], f.masked[id] = id, true, name
		}
		copy(src[start:end], id)
	}
	return src
}

// quotedNames finds the index of each opening quote of `"name" =` in a body.
// Braces of object expressions, where quoted keys are part of the language, do not count.
func quotedNames(tokens hclsyntax.Tokens) []int {
	var found []int
	body := []bool{true} // for each open bracket: is it a block's brace
	statement := true    // at the start of a statement
	assigned := false    // the statement has its equals sign
	for i, t := range tokens {
		inBody := body[len(body)-1]
		switch t.Type {
		case hclsyntax.TokenOBrace:
			isBlock := inBody && !assigned && i > 0 && (tokens[i-1].Type == hclsyntax.TokenIdent || tokens[i-1].Type == hclsyntax.TokenCQuote)
			body = append(body, isBlock)
			statement = isBlock
			assigned = assigned && !isBlock
			continue
		case hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			body = append(body, false)
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			if len(body) > 1 {
				body = body[:len(body)-1]
			}
		case hclsyntax.TokenNewline, hclsyntax.TokenComment:
			if inBody {
				statement, assigned = true, false
				continue
			}
		case hclsyntax.TokenEqual:
			if inBody {
				assigned = true
			}
		case hclsyntax.TokenOQuote:
			if inBody && statement && i+3 < len(tokens) && tokens[i+1].Type == hclsyntax.TokenQuotedLit &&
				tokens[i+2].Type == hclsyntax.TokenCQuote && tokens[i+3].Type == hclsyntax.TokenEqual {
				found = append(found, i)
			}
		}
		statement = false
	}
	return found
}

const identifierLetters = "abcdefghijklmnopqrstuvwxyz0123456789_"

// identifier makes an unused identifier of n bytes.
func identifier(n int, taken map[string]bool, next map[int]int) (string, bool) {
	buf := []byte(strings.Repeat("_", n))
	for next[n] < 1_000_000 {
		counter := next[n]
		next[n]++
		for i, c := n-1, counter; i > 0; i-- {
			buf[i] = identifierLetters[c%len(identifierLetters)]
			c /= len(identifierLetters)
		}
		if !taken[string(buf)] {
			return string(buf), true
		}
	}
	return "", false
}

// unmask puts quoted names back into a message of the parser.
func (f *File) unmask(message string) string {
	if len(f.masked) == 0 {
		return message
	}
	parts := strings.Split(message, `"`)
	for i := 1; i < len(parts)-1; i++ {
		if name, ok := f.masked[parts[i]]; ok {
			quoted := strconv.Quote(name)
			parts[i] = quoted[1 : len(quoted)-1]
		}
	}
	return strings.Join(parts, `"`)
}
