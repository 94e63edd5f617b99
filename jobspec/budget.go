package jobspec

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/seraihq/serai/internal/hclx"
	"github.com/zclconf/go-cty/cty"
)

// Bounds of an evaluation. Sizes are estimates in bytes of what a value takes
// in memory when nothing of it is shared.
const (
	maxValue     = 4 << 20  // one value
	maxTotal     = 24 << 20 // all values that are made, and all work, together
	maxBlocks    = 10_000   // blocks after the expansion of dynamic ones
	maxExponent  = 4096     // of a number, as a power of two
	maxWalkDepth = 500      // of nested values

	stepCost    = 32  // of evaluating any expression
	problemCost = 512 // of each error that an expression gives

	attributeCost = 256  // of each attribute of the job, with its place
	reportCost    = 8192 // of each problem that is reported
)

// exceeded is what the budget panics with; Parse recovers it.
type exceeded struct{ reason string }

// budget bounds the evaluation of one job file. HCL has no hook for steps, so
// every expression and function is wrapped to pay into it.
type budget struct {
	ctx    context.Context
	left   int
	steps  int
	blocks int
	over   *exceeded  // set once; from then on everything stops
	file   *hclx.File // of what is evaluated
	at     hcl.Range  // place of what is evaluated
}

func newBudget(ctx context.Context) *budget {
	return &budget{ctx: ctx, left: maxTotal, blocks: maxBlocks}
}

// stop ends the evaluation.
func (b *budget) stop(format string, args ...any) {
	if b.over == nil {
		b.over = &exceeded{fmt.Sprintf(format, args...)}
	}
	panic(*b.over)
}

// again repeats the panic that a function call of the library has swallowed.
func (b *budget) again() {
	if b.over != nil {
		panic(*b.over)
	}
}

// charge pays for work or memory.
func (b *budget) charge(n int) {
	b.again()
	if b.steps++; b.steps%1024 == 0 && b.ctx.Err() != nil {
		b.stop("the evaluation was cancelled")
	}
	if n < 0 || n > b.left {
		b.stop("evaluating the file takes too many steps or too much memory")
	}
	b.left -= n
}

// block pays for a block.
func (b *budget) block() {
	b.charge(stepCost * 8)
	if b.blocks--; b.blocks < 0 {
		b.stop("the file expands to more than %d blocks", maxBlocks)
	}
}

// value pays for a value that has been made and gives its size.
func (b *budget) value(v cty.Value) int {
	size := b.sizeOf(v, maxValue, 0)
	if size > maxValue {
		b.tooLarge()
	}
	b.charge(stepCost + size)
	return size
}

func (b *budget) tooLarge() { b.stop("a value is larger than %d MiB", maxValue>>20) }

// unify pays for finding one type for all elements of a tuple or object, which
// the library does by comparing each with each.
func (b *budget) unify(v cty.Value) {
	if v == cty.NilVal || !v.IsKnown() || v.IsNull() {
		return
	}
	if ty := v.Type(); ty.IsTupleType() || ty.IsObjectType() {
		n := v.LengthInt()
		b.charge(min(n, 1<<20) * min(n, 1<<20) / 2)
	}
}

// sizeOf estimates the memory of a value, up to a little more than limit.
func (b *budget) sizeOf(v cty.Value, limit, depth int) int {
	if v == cty.NilVal || !v.IsKnown() || v.IsNull() {
		return 16
	}
	if depth > maxWalkDepth {
		b.stop("a value is nested more than %d levels deep", maxWalkDepth)
	}
	v, _ = v.Unmark()
	ty := v.Type()
	switch {
	case ty == cty.String:
		return 32 + len(v.AsString())
	case ty == cty.Number:
		if n := v.AsBigFloat(); !n.IsInf() && (n.MantExp(nil) > maxExponent || n.MantExp(nil) < -maxExponent) {
			b.stop("a number is out of range")
		}
		return 128
	case ty == cty.Bool || !v.CanIterateElements():
		return 16
	}
	keyed := ty.IsMapType() || ty.IsObjectType()
	size := 64
	for it := v.ElementIterator(); it.Next() && size <= limit; {
		k, e := it.Element()
		size += 32
		if keyed {
			size += 96 + len(k.AsString())
		}
		size += b.sizeOf(e, limit-size, depth+1)
	}
	return size
}
