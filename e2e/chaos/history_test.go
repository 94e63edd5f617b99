package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// input is an operation on a job: a read, or a change from one value to another.
// Values are unique; "" is the value of a job that is not there.
type input struct {
	job      string
	write    bool
	from, to string
}

// output is what the caller was told.
type output struct {
	value   string
	done    bool // the write was acknowledged
	unknown bool // nobody knows whether it was done
}

// register is the model: each job is a register that is compared and set.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, op := range history {
			by[op.Input.(input).job] = append(by[op.Input.(input).job], op)
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
		switch {
		case !i.write:
			return o.value == value, value
		case o.unknown: // it may be set at any time from its call on, or after all others: never
			if value == i.from {
				return true, i.to
			}
			return true, value
		case o.done:
			return value == i.from, i.to
		}
		return value != i.from, value // it was told of a conflict
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

// recorder collects what callers did and were told.
type recorder struct {
	start time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
	acks  int
}

func (r *recorder) now() int64 { return int64(time.Since(r.start)) }

func (r *recorder) add(caller int, call int64, in input, out output) {
	back := r.now()
	if out.unknown {
		back = math.MaxInt64
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if out.done {
		r.acks++
	}
	r.ops = append(r.ops, porcupine.Operation{ClientId: caller, Input: in, Call: call, Output: out, Return: back})
}

// check has porcupine look for an order in which one register could have given
// the history.
func (r *recorder) check(t *testing.T, file string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Logf("%d operations, %d writes acknowledged", len(r.ops), r.acks)
	result, info := porcupine.CheckOperationsVerbose(register, r.ops, time.Minute)
	switch result {
	case porcupine.Ok:
	case porcupine.Unknown:
		t.Error("the history is too long to be checked within a minute")
	default:
		if err := porcupine.VisualizePath(register, info, file); err == nil {
			t.Errorf("the history is not linearizable; see %s", file)
		} else {
			t.Errorf("the history is not linearizable: %v", err)
		}
	}
}

// stored is what is read of a job.
type stored struct {
	value string
	index uint64
}

// read asks a server for a job as it is now.
func (c *cluster) read(ctx context.Context, server int, job string) (stored, bool) {
	a, err := c.ask(ctx, server, http.MethodGet, "/v1/job/"+job+"?consistent=true", nil)
	if err != nil {
		return stored{}, false
	}
	if a.status == http.StatusNotFound {
		return stored{}, true
	}
	var j struct {
		Meta           map[string]string
		JobModifyIndex uint64
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &j) != nil {
		return stored{}, false
	}
	return stored{j.Meta["value"], j.JobModifyIndex}, true
}

// write sets a job's value if it is still as it was read.
func (c *cluster) write(ctx context.Context, server int, job string, was stored, value string) output {
	a, err := c.ask(ctx, server, http.MethodPut, "/v1/jobs", map[string]any{
		"EnforceIndex": true, "JobModifyIndex": was.index,
		"Job": map[string]any{
			"ID": job, "Name": job, "Type": "service", "Datacenters": []string{"nowhere"}, "Meta": map[string]string{"value": value},
			"TaskGroups": []any{map[string]any{"Name": "g", "Count": 0, "Tasks": []any{map[string]any{"Name": "t", "Driver": "raw_exec", "Config": map[string]any{"command": "/bin/true"}}}}},
		},
	})
	switch {
	case err != nil:
		return output{unknown: true}
	case a.status == http.StatusOK:
		return output{done: true}
	case strings.HasPrefix(string(a.body), "Enforcing job modify index"):
		return output{}
	}
	return output{unknown: true}
}

// caller works on jobs until ctx ends: it asks any server, reads, and changes
// what it has read.
func (c *cluster) caller(ctx context.Context, id int, jobs []string, r *recorder, random *rand.Rand) {
	known := map[string]stored{}
	for n := 0; ctx.Err() == nil; n++ {
		job, server := jobs[random.IntN(len(jobs))], random.IntN(len(c.servers))
		ask, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		was, ok := known[job]
		if !ok || random.IntN(3) == 0 {
			call := r.now()
			if s, ok := c.read(ask, server, job); ok {
				r.add(id, call, input{job: job}, output{value: s.value})
				known[job] = s
			}
		} else {
			value := fmt.Sprintf("%d-%d", id, n)
			call := r.now()
			out := c.write(ask, server, job, was, value)
			r.add(id, call, input{job: job, write: true, from: was.value, to: value}, out)
			delete(known, job) // what it is now is to be read
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(random.IntN(20)) * time.Millisecond):
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
	set := func(from, to string) input { return input{job: "j", write: true, from: from, to: to} }
	read, done, refused, unknown := input{job: "j"}, output{done: true}, output{}, output{unknown: true}
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
		"done and taken back":     {[]porcupine.Operation{op(0, set("", "a"), unknown), op(10, read, output{value: "a"}), op(20, read, output{})}, porcupine.Illegal},
	} {
		if got := porcupine.CheckOperationsTimeout(register, c.ops, time.Minute); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
