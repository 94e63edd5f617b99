package drivers

import "strings"

// Type is the type of a configuration value: String, Number, Bool, Any, or one made by List and Map.
type Type string

// The simple types.
const (
	String Type = "string"
	Number Type = "number"
	Bool   Type = "bool"
	Any    Type = "any"
)

// List is the type of a list of elem.
func List(elem Type) Type { return "list(" + elem + ")" }

// Map is the type of a map from strings to elem.
func Map(elem Type) Type { return "map(" + elem + ")" }

// elem splits a List or Map type into its constructor ("list" or "map") and element type; other types have the constructor "".
func (t Type) elem() (string, Type) {
	for _, kind := range []string{"list", "map", "set"} {
		if inner, ok := strings.CutPrefix(string(t), kind+"("); ok && strings.HasSuffix(inner, ")") {
			if kind == "set" {
				kind = "list"
			}
			return kind, Type(strings.TrimSuffix(inner, ")"))
		}
	}
	return "", t
}

// Kind is how a field is written.
type Kind int

// The kinds of fields: name = value; one block; a block that may be repeated; blocks told apart by labels; a block with free keys.
const (
	Attribute Kind = iota
	Block
	BlockList
	BlockMap
	BlockAttributes
)

// Field is one thing that may be written in a configuration.
type Field struct {
	Name string
	Kind Kind
	// Type of an Attribute, or of the values of BlockAttributes.
	Type     Type
	Required bool
	// Default is the value of an absent Attribute: string, bool, int, float64, []any or map[string]any.
	Default any
	// Fields of a Block, BlockList or BlockMap.
	Fields *Schema
	// Min and Max number of blocks of a BlockList; a Max of 0 is none.
	Min, Max int
	// Labels name the labels of a BlockMap.
	Labels []string
}

// Schema is what may be written in a configuration block. The zero Schema allows nothing.
type Schema struct {
	Fields []Field
	// Open lets every key pass as it is.
	Open bool
}

// NewSchema is the schema with the given fields.
func NewSchema(fields ...Field) *Schema { return &Schema{Fields: fields} }

// Optional is an attribute that may be absent.
func Optional(name string, t Type) Field { return Field{Name: name, Type: t} }

// Required is an attribute that must be there.
func Required(name string, t Type) Field { return Field{Name: name, Type: t, Required: true} }

// WithDefault is an attribute with the value that it has when absent.
func WithDefault(name string, t Type, value any) Field {
	return Field{Name: name, Type: t, Default: value}
}

// OneBlock is a block that may be there once.
func OneBlock(name string, fields ...Field) Field {
	return Field{Name: name, Kind: Block, Fields: NewSchema(fields...)}
}

// Blocks is a block that may be there any number of times.
func Blocks(name string, fields ...Field) Field {
	return Field{Name: name, Kind: BlockList, Fields: NewSchema(fields...)}
}

// Lookup returns the field of that name.
func (s *Schema) Lookup(name string) (Field, bool) {
	for _, f := range s.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}
