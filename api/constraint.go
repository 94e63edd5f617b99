package api

// Operators of constraints and affinities. The empty operator means "=".
const (
	ConstraintEqual            = "="
	ConstraintNotEqual         = "!="
	ConstraintLess             = "<"
	ConstraintLessEqual        = "<="
	ConstraintGreater          = ">"
	ConstraintGreaterEqual     = ">="
	ConstraintRegexp           = "regexp"
	ConstraintVersion          = "version"
	ConstraintSemver           = "semver"
	ConstraintSetContains      = "set_contains"
	ConstraintSetContainsAll   = "set_contains_all"
	ConstraintSetContainsAny   = "set_contains_any"
	ConstraintIsSet            = "is_set"
	ConstraintIsNotSet         = "is_not_set"
	ConstraintDistinctHosts    = "distinct_hosts"
	ConstraintDistinctProperty = "distinct_property"
)

// Constraint must hold on every node that a group is placed on.
type Constraint struct {
	LTarget string `hcl:"attribute" cbor:",omitzero"`
	RTarget string `hcl:"value" cbor:",omitzero"`
	Operand string `hcl:"operator" cbor:",omitzero"`
}

// Affinity makes nodes where it holds better (weight > 0) or worse (< 0).
type Affinity struct {
	LTarget string `hcl:"attribute" cbor:",omitzero"`
	RTarget string `hcl:"value" cbor:",omitzero"`
	Operand string `hcl:"operator" cbor:",omitzero"`
	Weight  int8   `hcl:"weight" cbor:",omitzero"` // -100 to 100, not 0
}

// Spread distributes allocations over the values of an attribute.
type Spread struct {
	Attribute    string          `hcl:"attribute" cbor:",omitzero"`
	Weight       int8            `hcl:"weight" cbor:",omitzero"` // 1 to 100
	SpreadTarget []*SpreadTarget `hcl:"target,block" cbor:",omitzero"`
}

// SpreadTarget is the share of one value.
type SpreadTarget struct {
	Value   string `hcl:",label"`
	Percent uint8  `hcl:"percent"`
}
