package jobspec

import (
	"math"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pattern"
	"github.com/zclconf/go-cty/cty"
)

// Bounds of single functions.
const (
	maxFormatWidth  = 4096
	maxDecodeDepth  = 64
	maxYAML         = 128 << 10
	maxYAMLAliases  = 16
	maxParseInt     = 1024
	maxPattern      = 4 << 10
	cellCost        = 256 // of a decoded value
	bcryptCallCost  = maxTotal / 5
	rsaCallCost     = maxTotal / 64
	maxBcryptCost   = 10
	maxRepeatedWork = 64 // bytes of a cut set or separator that are not counted
)

// call pays for a function before it runs: for what it reads, and for what it
// could make of it.
func (b *budget) call(name string, args []cty.Value) {
	read, largest := 0, 0
	for _, a := range args {
		n := b.sizeOf(a, maxValue, 0)
		read, largest = read+n, max(largest, n)
	}
	b.charge(stepCost + 2*read)
	cost, ok := costs[name]
	if !ok {
		return
	}
	n := cost(b, callArgs{args, largest})
	if makesText[name] && n > maxValue {
		b.tooLarge()
	}
	b.charge(int(min(n, math.MaxInt32)))
}

// makesText names the functions whose cost is the size of the text they make.
var makesText = map[string]bool{"format": true, "join": true, "replace": true, "indent": true}

// callArgs are the arguments of a call.
type callArgs struct {
	values  []cty.Value
	largest int
}

// text gives an argument that is a text; empty when it is something else.
func (a callArgs) text(i int) string {
	if i >= len(a.values) {
		return ""
	}
	v, _ := a.values[i].Unmark()
	if v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
		return ""
	}
	return v.AsString()
}

// number gives an argument that is a number, or 0.
func (a callArgs) number(i int) int64 {
	if i >= len(a.values) {
		return 0
	}
	v, _ := a.values[i].Unmark()
	if v.Type() != cty.Number || !v.IsKnown() || v.IsNull() {
		return 0
	}
	n, _ := v.AsBigFloat().Int64()
	return n
}

// length gives the number of elements of an argument.
func (a callArgs) length(i int) int64 {
	v, _ := a.values[i].Unmark()
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return 1
	}
	return int64(v.LengthInt())
}

func (a callArgs) elements() int64 {
	n := int64(0)
	for i := range a.values {
		n += a.length(i)
	}
	return n
}

// costs gives what a call costs beyond reading its arguments: an upper bound of
// the size of its result, or its work where that is more.
var costs = map[string]func(*budget, callArgs) int64{
	"format":          formatCost,
	"formatlist":      func(b *budget, a callArgs) int64 { return formatCost(b, a) * longest(a) },
	"setproduct":      setProductCost,
	"join":            func(_ *budget, a callArgs) int64 { return int64(len(a.text(0))) * (a.elements() + deepElements(a)) },
	"replace":         replaceCost,
	"regex_replace":   regexReplaceCost,
	"indent":          indentCost,
	"split":           splitCost,
	"distinct":        func(_ *budget, a callArgs) int64 { return square(a.elements()) },
	"setunion":        func(_ *budget, a callArgs) int64 { return square(a.elements()) / 8 },
	"setintersection": func(_ *budget, a callArgs) int64 { return square(a.elements()) / 8 },
	"csvdecode":       func(_ *budget, a callArgs) int64 { return cells(a.text(0), ",\n") },
	"jsondecode":      jsonDecodeCost,
	"yamldecode":      yamlDecodeCost,
	"jsonencode":      func(_ *budget, a callArgs) int64 { return 4 * int64(a.largest) },
	"yamlencode":      func(_ *budget, a callArgs) int64 { return 8 * int64(a.largest) },
	"strrev":          func(_ *budget, a callArgs) int64 { return 8 * int64(a.largest) },
	"strlen":          func(_ *budget, a callArgs) int64 { return 8 * int64(a.largest) },
	"substr":          func(_ *budget, a callArgs) int64 { return 8 * int64(a.largest) },
	"trim":            trimCost,
	"parseint":        parseIntCost,
	"bcrypt":          bcryptCost,
	"rsadecrypt":      func(_ *budget, a callArgs) int64 { return rsaCallCost + 16*int64(a.largest) },
	"fileset":         func(_ *budget, a callArgs) int64 { return maxTotal / 16 },
}

func square(n int64) int64 { return min(n, 1<<20) * min(n, 1<<20) * 16 }

func longest(a callArgs) int64 {
	n := int64(1)
	for i := range a.values {
		n = max(n, a.length(i))
	}
	return n
}

// deepElements counts the elements of lists among the arguments.
func deepElements(a callArgs) int64 { return longest(a) * int64(len(a.values)) }

func formatCost(b *budget, a callArgs) int64 {
	format := a.text(0)
	total, digits := int64(0), int64(0)
	for i := 0; i < len(format); i++ {
		if c := format[i]; c >= '0' && c <= '9' {
			digits = min(digits*10+int64(c-'0'), math.MaxInt32)
			if digits > maxFormatWidth {
				b.stop("format: a width or precision of more than %d", maxFormatWidth)
			}
			continue
		}
		total, digits = total+digits, 0
	}
	return total + int64(len(format)) + int64(strings.Count(format, "%"))*(int64(a.largest)*2+64)
}

func setProductCost(_ *budget, a callArgs) int64 {
	n := int64(1)
	for i := range a.values {
		n = min(n*max(a.length(i), 1), math.MaxInt32)
	}
	return n * int64(64*(1+len(a.values)))
}

func replaceCost(_ *budget, a callArgs) int64 {
	return int64(strings.Count(a.text(0), a.text(1))) * int64(len(a.text(2)))
}

func regexReplaceCost(b *budget, a callArgs) int64 {
	text, pattern, with := a.text(0), a.text(1), a.text(2)
	if len(pattern) > maxPattern {
		b.stop("regex_replace: a pattern of more than %d bytes", maxPattern)
	}
	if _, err := api.CompilePattern(pattern); err != nil {
		if _, err := syntax.Parse(pattern, syntax.Perl); err == nil {
			b.stop("regex_replace: the pattern is too large")
		}
		return 0 // the function reports it
	}
	states := int64(api.PatternSize(pattern))
	work := int64(len(text)) * states / 4
	made := int64(len(text)+1)*int64(len(with)) + int64(strings.Count(with, "$"))*int64(len(text))
	if made > maxValue && states < 10_000 && work < maxTotal {
		// An empty match at every byte is rare: count the matches.
		if re, err := regexp.Compile(pattern); err == nil && len(text) < 1<<20 {
			made = int64(len(re.FindAllStringIndex(text, -1)))*int64(len(with)) + int64(strings.Count(with, "$"))*int64(len(text))
		}
	}
	if made > maxValue {
		b.tooLarge()
	}
	return work + made
}

func indentCost(b *budget, a callArgs) int64 {
	n := a.number(0)
	if n > maxFormatWidth {
		b.stop("indent: more than %d spaces", maxFormatWidth)
	}
	return n * int64(1+strings.Count(a.text(1), "\n"))
}

func splitCost(_ *budget, a callArgs) int64 {
	return int64(1+strings.Count(a.text(1), a.text(0))) * 64
}

func cells(text, signs string) int64 {
	n := int64(1)
	for i := 0; i < len(text); i++ {
		if strings.IndexByte(signs, text[i]) >= 0 {
			n++
		}
	}
	return n * cellCost
}

// nesting gives how deep brackets are nested, strings left aside or not.
func nesting(text string) int {
	depth, deepest := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return deepest
}

func jsonDecodeCost(b *budget, a callArgs) int64 {
	text := a.text(0)
	if nesting(text) > maxDecodeDepth {
		b.stop("jsondecode: nested more than %d levels deep", maxDecodeDepth)
	}
	return cells(text, ",:[{")
}

var (
	yamlAlias = pattern.New(`(?m)(^|[\s\[{,:-])\*[^\s,\]}*]`)
	yamlDeep  = pattern.New(`([-?]\s+){65}`)
)

func yamlDecodeCost(b *budget, a callArgs) int64 {
	text := a.text(0)
	switch {
	case len(text) > maxYAML:
		b.stop("yamldecode: more than %d KiB", maxYAML>>10)
	case nesting(text) > maxDecodeDepth || yamlDeep.MatchString(text):
		b.stop("yamldecode: nested more than %d levels deep", maxDecodeDepth)
	case len(yamlAlias.FindAllStringIndex(text, maxYAMLAliases+1)) > maxYAMLAliases:
		b.stop("yamldecode: more than %d aliases", maxYAMLAliases)
	}
	return 4*cells(text, "\n,:[{-") + 16*int64(len(text))
}

func trimCost(_ *budget, a callArgs) int64 {
	set := a.text(1)
	if len(set) <= maxRepeatedWork {
		return 0
	}
	return int64(len(a.text(0))) * int64(len(set))
}

func parseIntCost(b *budget, a callArgs) int64 {
	if len(a.text(0)) > maxParseInt {
		b.stop("parseint: more than %d digits", maxParseInt)
	}
	return 0
}

func bcryptCost(b *budget, a callArgs) int64 {
	if a.number(1) > maxBcryptCost {
		b.stop("bcrypt: a cost of more than %d", maxBcryptCost)
	}
	return bcryptCallCost
}
