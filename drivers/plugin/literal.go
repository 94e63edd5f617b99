package plugin

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a literal in a driver's schema: it is a default value, not a document.
const (
	maxLiteral      = 64 << 10
	maxLiteralDepth = 32
)

// parseLiteral evaluates an HCL expression without references: null, true, 12.5, "text", [1, 2], { key = "value" }. Drivers write their defaults
// so. What it returns is made of nil, bool, int64, float64, string, []any and map[string]any.
func parseLiteral(text string) (any, error) {
	if len(text) > maxLiteral {
		return nil, fmt.Errorf("it is longer than %d bytes", maxLiteral)
	}
	p := &literalParser{rest: text}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space(true)
	if p.rest != "" {
		return nil, fmt.Errorf("unexpected %q after the value", clip(p.rest))
	}
	return v, nil
}

type literalParser struct{ rest string }

func clip(s string) string {
	if len(s) > 20 {
		return strings.ToValidUTF8(s[:20], "") + "…"
	}
	return s
}

// space skips white space and comments; line ends only when asked to.
func (p *literalParser) space(lines bool) {
	for {
		cut := " \t"
		if lines {
			cut = " \t\r\n"
		}
		p.rest = strings.TrimLeft(p.rest, cut)
		switch {
		case strings.HasPrefix(p.rest, "#"), strings.HasPrefix(p.rest, "//"):
			end := strings.IndexByte(p.rest, '\n')
			if end < 0 {
				end = len(p.rest)
			}
			p.rest = p.rest[end:]
		case strings.HasPrefix(p.rest, "/*"):
			_, after, _ := strings.Cut(p.rest[2:], "*/")
			p.rest = after
		default:
			return
		}
	}
}

// take consumes the sign when it comes next.
func (p *literalParser) take(sign string) bool {
	after, ok := strings.CutPrefix(p.rest, sign)
	p.rest = after
	return ok
}

func (p *literalParser) value(depth int) (any, error) {
	if depth > maxLiteralDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxLiteralDepth)
	}
	p.space(true)
	switch {
	case p.rest == "":
		return nil, errors.New("a value is missing")
	case p.take("["):
		return p.list(depth)
	case p.take("{"):
		return p.object(depth)
	case p.rest[0] == '"':
		return p.text()
	}
	word := p.word()
	switch word {
	case "null":
		return nil, nil
	case "true", "false":
		return word == "true", nil
	}
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return n, nil
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil && word != "" && strings.ContainsAny(word[:1], "-0123456789") {
		if math.Trunc(f) == f && math.Abs(f) < 1<<53 {
			return int64(f), nil
		}
		return f, nil
	}
	return nil, fmt.Errorf("%q is not a constant", clip(word+p.rest))
}

// word takes a name or a number.
func (p *literalParser) word() string {
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-+.", r)
	})
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word
}

func (p *literalParser) list(depth int) (any, error) {
	out := []any{}
	for {
		p.space(true)
		if p.take("]") {
			return out, nil
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		p.space(true)
		if !p.take(",") && !strings.HasPrefix(p.rest, "]") {
			return nil, fmt.Errorf("a list goes on with , or ], not with %q", clip(p.rest))
		}
	}
}

func (p *literalParser) object(depth int) (any, error) {
	out := map[string]any{}
	for {
		p.space(true)
		if p.take("}") {
			return out, nil
		}
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		p.space(false)
		if !p.take("=") && !p.take(":") {
			return nil, fmt.Errorf("= is missing after %q", key)
		}
		if out[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		p.space(false)
		if !p.take(",") && !p.take("\n") && !p.take("\r\n") && !strings.HasPrefix(p.rest, "}") {
			return nil, fmt.Errorf("a map goes on with , or a new line or }, not with %q", clip(p.rest))
		}
	}
}

func (p *literalParser) key() (string, error) {
	if strings.HasPrefix(p.rest, `"`) {
		return p.text()
	}
	if key := p.word(); key != "" {
		return key, nil
	}
	return "", fmt.Errorf("a key is missing before %q", clip(p.rest))
}

// text reads a quoted string. A template in it cannot be a constant and is refused.
func (p *literalParser) text() (string, error) {
	var out strings.Builder
	p.rest = p.rest[1:]
	for p.rest != "" {
		switch {
		case p.take(`"`):
			return out.String(), nil
		case p.take("$${"):
			out.WriteString("${")
		case p.take("%%{"):
			out.WriteString("%{")
		case strings.HasPrefix(p.rest, "${"), strings.HasPrefix(p.rest, "%{"):
			return "", errors.New("it holds a template: only constants can be defaults")
		case p.rest[0] == '\n':
			return "", errors.New("a string is not closed on its line")
		case p.rest[0] == '\\':
			if err := p.escape(&out); err != nil {
				return "", err
			}
		default:
			r, size := utf8.DecodeRuneInString(p.rest)
			if r == utf8.RuneError && size <= 1 {
				return "", errors.New("it is not UTF-8")
			}
			out.WriteString(p.rest[:size])
			p.rest = p.rest[size:]
		}
	}
	return "", errors.New("a string is not closed")
}

// escape reads one escape sequence. Those of JSON that HCL does not know are taken as well.
func (p *literalParser) escape(out *strings.Builder) error {
	if len(p.rest) < 2 {
		return errors.New("a string is not closed")
	}
	c := p.rest[1]
	p.rest = p.rest[2:]
	if i := strings.IndexByte(`nrtbf"\/`, c); i >= 0 {
		out.WriteByte("\n\r\t\b\f\"\\/"[i])
		return nil
	}
	digits := map[byte]int{'u': 4, 'U': 8}[c]
	if digits == 0 || len(p.rest) < digits {
		return fmt.Errorf(`\%c is not an escape sequence`, c)
	}
	n, err := strconv.ParseUint(p.rest[:digits], 16, 32)
	if err != nil || n > unicode.MaxRune {
		return fmt.Errorf(`\%c%s is not a character`, c, p.rest[:digits])
	}
	p.rest = p.rest[digits:]
	out.WriteRune(rune(n))
	return nil
}
