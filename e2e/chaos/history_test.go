package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// input is an operation on a register: a read, or a write of a value. Values are
// unique; "" is the value of what is not there.
type input struct {
	key      string // of the register
	write    bool
	from, to string
	blind    bool // whatever the value was: from says nothing
}

// output is what the caller was told.
type output struct {
	value   string
	done    bool // the write was acknowledged
	unknown bool // nobody knows whether it was done
	from    int  // the server that was asked
}

// model is the model of a register that is read, written, and compared and set.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, op := range history {
			by[op.Input.(input).key] = append(by[op.Input.(input).key], op)
		}
		var out [][]porcupine.Operation
		for _, list := range by {
			out = append(out, list)
		}
		return out
	},
	Init: func() any { return "" },
	Step: func(state, in, out any) (bool, any) {
		value, i, o := state.(string), in.(input), out.(output)
		fits := i.blind || value == i.from
		switch {
		case !i.write:
			return o.value == value, value
		case o.unknown: // it may be done at any time from its call on, or after all others: never
			if fits {
				return true, i.to
			}
			return true, value
		case o.done:
			return fits, i.to
		}
		return !fits, value // it was told of a conflict
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

// recorder collects what callers did and were told.
type recorder struct {
	start time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
	known map[string]register
	acks  int
	kinds map[string]int // writes acknowledged, by kind of register
	lost  int            // writes of which nobody knows
}

func (r *recorder) now() int64 { return int64(time.Since(r.start)) }

func (r *recorder) add(caller int, call int64, x register, in input, out output) {
	back := r.now()
	if out.unknown {
		back = math.MaxInt64
	}
	in.key = x.name()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known, r.kinds = map[string]register{}, map[string]int{}
	}
	r.known[in.key] = x
	switch {
	case out.done:
		r.acks++
		kind, _, _ := strings.Cut(in.key, " ")
		r.kinds[kind]++
	case out.unknown:
		r.lost++
	}
	r.ops = append(r.ops, porcupine.Operation{ClientId: caller, Input: in, Call: call, Output: out, Return: back})
}

// registers gives all that callers have touched.
func (r *recorder) registers() []register {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.known))
}

// check has porcupine look for an order in which registers could have given the
// history.
func (r *recorder) check(t *testing.T, file string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Logf("%d operations on %d registers, %d writes acknowledged %v, %d of unknown outcome", len(r.ops), len(r.known), r.acks, r.kinds, r.lost)
	result, info := porcupine.CheckOperationsVerbose(model, r.ops, 10*time.Minute)
	switch result {
	case porcupine.Ok:
	case porcupine.Unknown:
		t.Error("the history is too long to be checked within ten minutes")
	default:
		r.lies(t)
		if err := porcupine.VisualizePath(model, info, file); err == nil {
			t.Errorf("the history is not linearizable; see %s", file)
		} else {
			t.Errorf("the history is not linearizable: %v", err)
		}
	}
}

// lies logs the registers whose history is impossible, up to the operation without
// which it would not be.
func (r *recorder) lies(t *testing.T) {
	t.Helper()
	for _, ops := range model.Partition(r.ops) {
		slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
		bad := func(n int) bool {
			// What had not come back then may or may not have been done.
			past := slices.Clone(ops[:n])
			for _, op := range ops[n:] {
				if in := op.Input.(input); in.write && op.Call < past[n-1].Return {
					op.Output, op.Return = output{unknown: true}, math.MaxInt64
					past = append(past, op)
				}
			}
			return porcupine.CheckOperationsTimeout(model, past, time.Minute) == porcupine.Illegal
		}
		n := sort.Search(len(ops), func(n int) bool { return bad(n + 1) })
		if n == len(ops) {
			continue
		}
		t.Logf("%s: this cannot be; times since %s:", ops[0].Input.(input).key, r.start.UTC().Format("15:04:05.000"))
		for _, op := range ops[max(0, n-15) : n+1] {
			t.Logf("  caller %d, %s to %s: %s", op.ClientId, time.Duration(op.Call), time.Duration(op.Return), model.DescribeOperation(op.Input, op.Output))
		}
		for _, op := range ops[n+1:] {
			if op.Call < ops[n].Return && op.Input.(input).write {
				t.Logf("  caller %d, %s on: %s", op.ClientId, time.Duration(op.Call), model.DescribeOperation(op.Input, op.Output))
			}
		}
	}
}

// TestTheCheckFindsLies gives the check histories that no register has.
func TestTheCheckFindsLies(t *testing.T) {
	op := func(at int64, in input, out output) porcupine.Operation {
		back := at + 5
		if out.unknown {
			back = math.MaxInt64
		}
		return porcupine.Operation{ClientId: int(at), Input: in, Call: at, Output: out, Return: back}
	}
	set := func(from, to string) input { return input{key: "j", write: true, from: from, to: to} }
	blind := func(to string) input { return input{key: "j", write: true, blind: true, to: to} }
	read, done, refused, unknown := input{key: "j"}, output{done: true}, output{}, output{unknown: true}
	for name, c := range map[string]struct {
		ops  []porcupine.Operation
		want porcupine.CheckResult
	}{
		"in order":                {[]porcupine.Operation{op(0, set("", "a"), done), op(10, read, output{value: "a"}), op(20, set("", "b"), refused)}, porcupine.Ok},
		"a lost write":            {[]porcupine.Operation{op(0, set("", "a"), done), op(10, read, output{})}, porcupine.Illegal},
		"a stale read":            {[]porcupine.Operation{op(0, set("", "a"), done), op(10, set("a", "b"), done), op(20, read, output{value: "a"})}, porcupine.Illegal},
		"two from one value":      {[]porcupine.Operation{op(0, set("", "a"), done), op(10, set("", "b"), done)}, porcupine.Illegal},
		"a refusal without cause": {[]porcupine.Operation{op(0, set("", "a"), refused)}, porcupine.Illegal},
		"unknown and done":        {[]porcupine.Operation{op(0, set("", "a"), unknown), op(10, read, output{}), op(20, read, output{value: "a"})}, porcupine.Ok},
		"unknown and not done":    {[]porcupine.Operation{op(0, set("", "a"), unknown), op(10, read, output{}), op(20, set("", "b"), done)}, porcupine.Ok},
		"blind":                   {[]porcupine.Operation{op(0, blind("a"), done), op(10, blind("b"), done), op(20, read, output{value: "b"})}, porcupine.Ok},
		"a blind write lost":      {[]porcupine.Operation{op(0, blind("a"), done), op(10, blind("b"), done), op(20, read, output{value: "a"})}, porcupine.Illegal},
		"done and taken back":     {[]porcupine.Operation{op(0, set("", "a"), unknown), op(10, read, output{value: "a"}), op(20, read, output{})}, porcupine.Illegal},
	} {
		if got := porcupine.CheckOperationsTimeout(model, c.ops, time.Minute); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
