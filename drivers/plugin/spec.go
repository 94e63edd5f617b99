package plugin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/hclspec"
)

// specOf writes a schema in the form of the wire.
func specOf(s *drivers.Schema) *hclspec.Spec {
	attrs := map[string]*hclspec.Spec{}
	if s != nil {
		for _, f := range s.Fields {
			attrs[f.Name] = fieldSpec(f)
		}
	}
	return &hclspec.Spec{Block: &hclspec.Spec_Object{Object: &hclspec.Object{Attributes: attrs}}}
}

func fieldSpec(f drivers.Field) *hclspec.Spec {
	switch f.Kind {
	case drivers.Block:
		return &hclspec.Spec{Block: &hclspec.Spec_BlockValue{BlockValue: &hclspec.Block{Name: f.Name, Required: f.Required, Nested: specOf(f.Fields)}}}
	case drivers.BlockList:
		return &hclspec.Spec{Block: &hclspec.Spec_BlockList{BlockList: &hclspec.BlockList{
			Name: f.Name, MinItems: uint64(f.Min), MaxItems: uint64(f.Max), Nested: specOf(f.Fields)}}}
	case drivers.BlockMap:
		return &hclspec.Spec{Block: &hclspec.Spec_BlockMap{BlockMap: &hclspec.BlockMap{Name: f.Name, Labels: f.Labels, Nested: specOf(f.Fields)}}}
	case drivers.BlockAttributes:
		return &hclspec.Spec{Block: &hclspec.Spec_BlockAttrs{BlockAttrs: &hclspec.BlockAttrs{Name: f.Name, Type: string(f.Type), Required: f.Required}}}
	}
	attr := &hclspec.Spec{Block: &hclspec.Spec_Attr{Attr: &hclspec.Attr{Name: f.Name, Type: string(f.Type), Required: f.Required}}}
	if f.Default == nil {
		return attr
	}
	literal := &hclspec.Spec{Block: &hclspec.Spec_Literal{Literal: &hclspec.Literal{Value: literalOf(f.Default)}}}
	return &hclspec.Spec{Block: &hclspec.Spec_Default{Default: &hclspec.Default{Primary: attr, Default: literal}}}
}

// literalOf writes a value as an HCL expression: JSON with template markers escaped is one.
func literalOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(string(text))
}

// schemaOf reads a spec as a schema. Names are those that people write, which may differ from the keys under which values travel.
func schemaOf(spec *hclspec.Spec) (*drivers.Schema, error) {
	out := &drivers.Schema{}
	if spec == nil || spec.GetBlock() == nil {
		return out, nil
	}
	if spec.GetObject() == nil {
		return nil, fmt.Errorf("schema: the outermost spec must be an object, not %T", spec.GetBlock())
	}
	attrs := spec.GetObject().GetAttributes()
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		if attrs[key].GetLiteral() != nil {
			continue // a constant: nothing to write
		}
		f, err := fieldOf(attrs[key])
		if err != nil {
			return nil, fmt.Errorf("schema: %s: %w", key, err)
		}
		if _, dup := out.Lookup(f.Name); !dup {
			out.Fields = append(out.Fields, f)
		}
	}
	return out, nil
}

func fieldOf(spec *hclspec.Spec) (drivers.Field, error) {
	switch b := spec.GetBlock().(type) {
	case *hclspec.Spec_Attr:
		return drivers.Field{Name: b.Attr.GetName(), Type: typeOf(b.Attr.GetType()), Required: b.Attr.GetRequired()}, nil
	case *hclspec.Spec_BlockAttrs:
		return drivers.Field{Name: b.BlockAttrs.GetName(), Kind: drivers.BlockAttributes,
			Type: typeOf(b.BlockAttrs.GetType()), Required: b.BlockAttrs.GetRequired()}, nil
	case *hclspec.Spec_BlockValue:
		return nest(drivers.Field{Name: b.BlockValue.GetName(), Kind: drivers.Block, Required: b.BlockValue.GetRequired()}, b.BlockValue.GetNested())
	case *hclspec.Spec_BlockList:
		l := b.BlockList
		return nest(drivers.Field{Name: l.GetName(), Kind: drivers.BlockList, Min: int(l.GetMinItems()), Max: int(l.GetMaxItems())}, l.GetNested())
	case *hclspec.Spec_BlockSet:
		l := b.BlockSet
		return nest(drivers.Field{Name: l.GetName(), Kind: drivers.BlockList, Min: int(l.GetMinItems()), Max: int(l.GetMaxItems())}, l.GetNested())
	case *hclspec.Spec_BlockMap:
		return nest(drivers.Field{Name: b.BlockMap.GetName(), Kind: drivers.BlockMap, Labels: b.BlockMap.GetLabels()}, b.BlockMap.GetNested())
	case *hclspec.Spec_Default:
		f, err := fieldOf(b.Default.GetPrimary())
		if err != nil {
			return f, err
		}
		// Required with a default is never missing.
		f.Required = false
		f.Default, err = constant(b.Default.GetDefault())
		return f, err
	}
	return drivers.Field{}, fmt.Errorf("spec of type %T is not supported", spec.GetBlock())
}

func nest(f drivers.Field, spec *hclspec.Spec) (drivers.Field, error) {
	var err error
	f.Fields, err = schemaOf(spec)
	return f, err
}

func typeOf(text string) drivers.Type {
	text = strings.ReplaceAll(text, " ", "")
	if text == "" {
		return drivers.Any
	}
	return drivers.Type(text)
}

// constant evaluates a literal: an HCL expression without references, of which JSON is the part in use.
func constant(spec *hclspec.Spec) (any, error) {
	lit := spec.GetLiteral()
	if lit == nil {
		return nil, fmt.Errorf("a default of type %T is not supported", spec.GetBlock())
	}
	text := strings.NewReplacer("$${", "${", "%%{", "%{").Replace(strings.TrimSpace(lit.GetValue()))
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, fmt.Errorf("the literal %q cannot be read: %w", lit.GetValue(), err)
	}
	return v, nil
}
