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

// maxSpecDepth is how deep a driver's schema may be nested.
const maxSpecDepth = 32

// schemaOf reads a spec as a schema. Names are those that people write, which may differ from the keys under which values travel.
func schemaOf(spec *hclspec.Spec) (*drivers.Schema, error) {
	out := &drivers.Schema{}
	return out, collect(spec, out, 0)
}

// collect adds what a spec lets people write in its body.
func collect(spec *hclspec.Spec, into *drivers.Schema, depth int) error {
	if depth > maxSpecDepth {
		return fmt.Errorf("schema: it is nested deeper than %d", maxSpecDepth)
	}
	switch b := spec.GetBlock().(type) {
	case nil:
		return nil
	case *hclspec.Spec_Object:
		attrs := b.Object.GetAttributes()
		for _, key := range slices.Sorted(maps.Keys(attrs)) {
			if err := collect(attrs[key], into, depth+1); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		return nil
	case *hclspec.Spec_Array:
		for _, one := range b.Array.GetValues() {
			if err := collect(one, into, depth+1); err != nil {
				return err
			}
		}
		return nil
	case *hclspec.Spec_Literal:
		_, err := parseLiteral(b.Literal.GetValue()) // a constant: nothing to write
		return inSchema(b.Literal.GetValue(), err)
	case *hclspec.Spec_Default:
		return collectDefault(b.Default, into, depth)
	}
	f, err := fieldOf(spec, depth)
	if err != nil {
		return err
	}
	if _, dup := into.Lookup(f.Name); !dup {
		into.Fields = append(into.Fields, f)
	}
	return nil
}

// collectDefault adds a field that is never missing. The default may be a constant, or come from another field.
func collectDefault(d *hclspec.Default, into *drivers.Schema, depth int) error {
	var primary drivers.Schema
	if err := collect(d.GetPrimary(), &primary, depth+1); err != nil {
		return err
	}
	lit := d.GetDefault().GetLiteral()
	for _, f := range primary.Fields {
		f.Required = false
		if lit != nil && f.Kind == drivers.Attribute {
			v, err := parseLiteral(lit.GetValue())
			if err != nil {
				return inSchema(lit.GetValue(), err)
			}
			f.Default = v
		}
		if _, dup := into.Lookup(f.Name); !dup {
			into.Fields = append(into.Fields, f)
		}
	}
	return collect(d.GetDefault(), into, depth+1)
}

func inSchema(literal string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("schema: the literal %q cannot be read: %w", clip(literal), err)
}

func fieldOf(spec *hclspec.Spec, depth int) (drivers.Field, error) {
	switch b := spec.GetBlock().(type) {
	case *hclspec.Spec_Attr:
		return drivers.Field{Name: b.Attr.GetName(), Type: typeOf(b.Attr.GetType()), Required: b.Attr.GetRequired()}, nil
	case *hclspec.Spec_BlockAttrs:
		return drivers.Field{Name: b.BlockAttrs.GetName(), Kind: drivers.BlockAttributes,
			Type: typeOf(b.BlockAttrs.GetType()), Required: b.BlockAttrs.GetRequired()}, nil
	case *hclspec.Spec_BlockValue:
		return nest(drivers.Field{Name: b.BlockValue.GetName(), Kind: drivers.Block, Required: b.BlockValue.GetRequired()}, b.BlockValue.GetNested(), depth)
	case *hclspec.Spec_BlockList:
		l := b.BlockList
		return nest(drivers.Field{Name: l.GetName(), Kind: drivers.BlockList, Min: int(l.GetMinItems()), Max: int(l.GetMaxItems())}, l.GetNested(), depth)
	case *hclspec.Spec_BlockSet:
		l := b.BlockSet
		return nest(drivers.Field{Name: l.GetName(), Kind: drivers.BlockList, Min: int(l.GetMinItems()), Max: int(l.GetMaxItems())}, l.GetNested(), depth)
	case *hclspec.Spec_BlockMap:
		return nest(drivers.Field{Name: b.BlockMap.GetName(), Kind: drivers.BlockMap, Labels: b.BlockMap.GetLabels()}, b.BlockMap.GetNested(), depth)
	}
	return drivers.Field{}, fmt.Errorf("schema: a spec of type %T is not supported", spec.GetBlock())
}

func nest(f drivers.Field, spec *hclspec.Spec, depth int) (drivers.Field, error) {
	f.Fields = &drivers.Schema{}
	return f, collect(spec, f.Fields, depth+1)
}

func typeOf(text string) drivers.Type {
	text = strings.ReplaceAll(text, " ", "")
	if text == "" {
		return drivers.Any
	}
	return drivers.Type(text)
}
