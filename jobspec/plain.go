package jobspec

import (
	"encoding/json"
	"errors"
	"math/big"
	"strconv"

	"github.com/zclconf/go-cty/cty"
)

// plain gives an evaluated value in the shape of JSON: map[string]any, []any,
// string, bool, json.Number, nil.
func plain(v cty.Value) (any, error) {
	if !v.IsKnown() {
		return nil, errors.New("the value cannot be known here")
	}
	if v.IsNull() {
		return nil, nil
	}
	v, _ = v.Unmark()
	ty := v.Type()
	switch {
	case ty == cty.String:
		return v.AsString(), nil
	case ty == cty.Bool:
		return v.True(), nil
	case ty == cty.Number:
		return json.Number(digits(v.AsBigFloat())), nil
	case ty.IsMapType() || ty.IsObjectType():
		out := make(map[string]any, v.LengthInt())
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			node, err := plain(e)
			if err != nil {
				return nil, err
			}
			out[k.AsString()] = node
		}
		return out, nil
	case v.CanIterateElements():
		out := make([]any, 0, v.LengthInt())
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			node, err := plain(e)
			if err != nil {
				return nil, err
			}
			out = append(out, node)
		}
		return out, nil
	}
	return nil, errors.New("a value of type " + ty.FriendlyName() + " has no place here")
}

// digits writes a number the way JSON does; the budget has bounded its size.
func digits(n *big.Float) string {
	if n.IsInt() {
		return n.Text('f', 0)
	}
	return n.Text('g', 17)
}

// plainText gives a plain scalar as text.
func plainText(node any) (string, bool) {
	switch x := node.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		return strconv.FormatBool(x), true
	}
	return "", false
}
