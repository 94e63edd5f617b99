package feasible

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// quantity is one side of a comparison of device attributes. number is nil for
// what is not a number with a unit.
type quantity struct {
	text   string
	number *big.Rat // in the base of its unit
	base   string
}

// unit is a unit by the base that it measures, and how many of these it is.
type unit struct {
	base   string
	factor *big.Rat
}

var units = makeUnits()

func makeUnits() map[string]unit {
	all := map[string]unit{}
	for i, p := range []string{"K", "M", "G", "T", "P", "E"} {
		binary := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(10*(i+1))))
		decimal := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(1000), big.NewInt(int64(i+1)), nil))
		for _, base := range []string{"B", "B/s"} {
			all[p+"i"+base] = unit{base, binary}
			all[p+base] = unit{base, decimal}
		}
	}
	all["kB"], all["kB/s"] = all["KB"], all["KB/s"]
	for name, x := range map[string]struct {
		base   string
		of, by int64
	}{
		"B": {"B", 1, 1}, "B/s": {"B/s", 1, 1},
		"Hz": {"Hz", 1, 1}, "KHz": {"Hz", 1000, 1}, "kHz": {"Hz", 1000, 1}, "MHz": {"Hz", 1000_000, 1}, "GHz": {"Hz", 1000_000_000, 1},
		"mW": {"W", 1, 1000}, "W": {"W", 1, 1}, "KW": {"W", 1000, 1}, "kW": {"W", 1000, 1}, "MW": {"W", 1000_000, 1}, "GW": {"W", 1000_000_000, 1},
	} {
		all[name] = unit{x.base, big.NewRat(x.of, x.by)}
	}
	return all
}

// maxQuantity bounds the text that is read as a number with a unit.
const maxQuantity = 64

// parseQuantity reads "8192 MiB", "8GiB", "1.5" or plain text.
func parseQuantity(text string) quantity {
	q := quantity{text: text}
	trimmed := strings.TrimSpace(text)
	if len(trimmed) > maxQuantity {
		return q
	}
	end := len(trimmed)
	for i, c := range trimmed {
		if !strings.ContainsRune("0123456789.+-", c) {
			end = i
			break
		}
	}
	return q.in(readNumber(trimmed[:end]), strings.TrimSpace(trimmed[end:]))
}

func readNumber(text string) *big.Rat {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return new(big.Rat).SetInt64(n)
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
		return new(big.Rat).SetFloat64(x)
	}
	return nil
}

// in gives the quantity with a number of a unit. A unit that is not known is its
// own base: it compares with itself alone.
func (q quantity) in(number *big.Rat, name string) quantity {
	if number == nil {
		return q
	}
	q.number, q.base = number, name
	if u, ok := units[name]; ok {
		q.number, q.base = new(big.Rat).Mul(number, u.factor), u.base
	}
	return q
}

// attribute gives the value of a device attribute.
func attribute(a *api.Attribute) (quantity, bool) {
	switch {
	case a == nil:
		return quantity{}, false
	case a.IntVal != nil:
		return quantity{text: withUnit(strconv.FormatInt(*a.IntVal, 10), a.Unit)}.in(new(big.Rat).SetInt64(*a.IntVal), a.Unit), true
	case a.FloatVal != nil:
		text := strconv.FormatFloat(*a.FloatVal, 'g', -1, 64)
		return quantity{text: withUnit(text, a.Unit)}.in(new(big.Rat).SetFloat64(*a.FloatVal), a.Unit), true
	case a.BoolVal != nil:
		return quantity{text: strconv.FormatBool(*a.BoolVal)}, true
	case a.StringVal != nil:
		return quantity{text: *a.StringVal}, true
	}
	return quantity{}, false
}

func withUnit(number, name string) string {
	if name == "" {
		return number
	}
	return number + " " + name
}

// compareQuantities gives the test of an operator on two quantities. Numbers
// compare in the base of their units, and not at all when these differ; all else
// compares as the properties of nodes do.
func compareQuantities(operand string) func(l, r quantity, lset, rset bool) bool {
	text := operator(operand)
	test := func(l, r quantity, lset, rset bool) bool { return text(l.text, r.text, lset, rset) }
	var holds func(order int) bool
	switch operand {
	case "", "=", "==", "is":
		operand, holds = "=", func(order int) bool { return order == 0 }
	case "!=", "not":
		operand, holds = "!=", func(order int) bool { return order != 0 }
	case "<", "<=", ">", ">=":
		holds = func(order int) bool { return within(order, operand) }
	default:
		return test
	}
	return func(l, r quantity, lset, rset bool) bool {
		if !lset || !rset || l.number == nil || r.number == nil {
			return test(l, r, lset, rset)
		}
		if l.base != r.base {
			return operand == "!="
		}
		return holds(l.number.Cmp(r.number))
	}
}
