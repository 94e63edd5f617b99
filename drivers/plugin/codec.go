package plugin

import (
	"fmt"
	"math/big"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/msgpack"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/hclspec"
)

// encode checks raw against the spec and writes it as the msgpack of the value that the spec describes: every key is there, null when
// nothing was written.
func encode(spec *hclspec.Spec, schema *drivers.Schema, raw map[string]any) ([]byte, error) {
	decoded, err := schema.Decode(raw)
	if err != nil {
		return nil, err
	}
	v := valueOf(spec, decoded)
	if spec.GetBlock() == nil {
		v = cty.EmptyObjectVal // a driver without configuration
	}
	out, err := msgpack.Marshal(v, v.Type())
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return out, nil
}

// valueOf is the value that a spec describes of a body.
func valueOf(spec *hclspec.Spec, body map[string]any) cty.Value {
	switch b := spec.GetBlock().(type) {
	case *hclspec.Spec_Object:
		out := map[string]cty.Value{}
		for key, s := range b.Object.GetAttributes() {
			out[key] = valueOf(s, body)
		}
		return cty.ObjectVal(out)
	case *hclspec.Spec_Array:
		out := make([]cty.Value, len(b.Array.GetValues()))
		for i, s := range b.Array.GetValues() {
			out[i] = valueOf(s, body)
		}
		return cty.TupleVal(out)
	case *hclspec.Spec_Attr:
		return ctyOf(body[b.Attr.GetName()])
	case *hclspec.Spec_BlockAttrs:
		return ctyOf(body[b.BlockAttrs.GetName()])
	case *hclspec.Spec_BlockValue:
		return blockValue(b.BlockValue.GetNested(), body[b.BlockValue.GetName()])
	case *hclspec.Spec_BlockList:
		return blockListValue(b.BlockList.GetNested(), body[b.BlockList.GetName()])
	case *hclspec.Spec_BlockSet:
		return blockListValue(b.BlockSet.GetNested(), body[b.BlockSet.GetName()])
	case *hclspec.Spec_BlockMap:
		return blockMapValue(b.BlockMap.GetNested(), body[b.BlockMap.GetName()], len(b.BlockMap.GetLabels()))
	case *hclspec.Spec_Default:
		if v := valueOf(b.Default.GetPrimary(), body); !v.IsNull() {
			return v
		}
		return valueOf(b.Default.GetDefault(), body)
	case *hclspec.Spec_Literal:
		v, err := parseLiteral(b.Literal.GetValue())
		if err != nil {
			return null // schemaOf has refused it
		}
		return ctyOf(v)
	}
	return null
}

var null = cty.NullVal(cty.String)

func blockValue(nested *hclspec.Spec, v any) cty.Value {
	m, ok := v.(map[string]any)
	if !ok {
		return null
	}
	return valueOf(nested, m)
}

func blockListValue(nested *hclspec.Spec, v any) cty.Value {
	list, _ := v.([]any)
	out := make([]cty.Value, len(list))
	for i, one := range list {
		out[i] = blockValue(nested, one)
	}
	return cty.TupleVal(out)
}

func blockMapValue(nested *hclspec.Spec, v any, depth int) cty.Value {
	if depth == 0 {
		return blockValue(nested, v)
	}
	m, _ := v.(map[string]any)
	out := make(map[string]cty.Value, len(m))
	for k, one := range m {
		out[k] = blockMapValue(nested, one, depth-1)
	}
	return cty.ObjectVal(out)
}

// ctyOf turns what Schema.Decode returns into a cty value. Lists and maps become tuples and objects, which look the same on the wire.
func ctyOf(v any) cty.Value {
	switch x := v.(type) {
	case string:
		return cty.StringVal(x)
	case bool:
		return cty.BoolVal(x)
	case int64:
		return cty.NumberIntVal(x)
	case float64:
		return cty.NumberFloatVal(x)
	case []any:
		out := make([]cty.Value, len(x))
		for i, one := range x {
			out[i] = ctyOf(one)
		}
		return cty.TupleVal(out)
	case map[string]any:
		out := make(map[string]cty.Value, len(x))
		for k, one := range x {
			out[k] = ctyOf(one)
		}
		return cty.ObjectVal(out)
	}
	return null
}

// decode reads a msgpack value into plain Go values; nulls are left out.
func decode(text []byte) (map[string]any, error) {
	if len(text) == 0 {
		return map[string]any{}, nil
	}
	if err := bounded(text); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	t, err := msgpack.ImpliedType(text)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	v, err := msgpack.Unmarshal(text, t)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	m, ok := goOf(v).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("config: must be a map, not %s", t.FriendlyName())
	}
	return m, nil
}

func goOf(v cty.Value) any {
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	switch t := v.Type(); {
	case t == cty.String:
		return v.AsString()
	case t == cty.Bool:
		return v.True()
	case t == cty.Number:
		return numberOf(v.AsBigFloat())
	case t.IsObjectType() || t.IsMapType():
		out := map[string]any{}
		for k, one := range v.AsValueMap() {
			if g := goOf(one); g != nil {
				out[k] = g
			}
		}
		return out
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		out := make([]any, 0, v.LengthInt())
		for _, one := range v.AsValueSlice() {
			out = append(out, goOf(one))
		}
		return out
	}
	return nil
}

func numberOf(f *big.Float) any {
	if n, acc := f.Int64(); acc == big.Exact {
		return n
	}
	n, _ := f.Float64()
	return n
}
