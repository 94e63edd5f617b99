package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// register is an object of the cluster that holds a value, as callers see it.
type register interface {
	// name has its kind before the first space.
	name() string
	// read asks a server for what it holds now.
	read(ctx context.Context, c *cluster, server int) (stored, bool)
}

// writable is a register that callers write to: if it is still as it was read, or,
// blind, in any case.
type writable interface {
	register
	write(ctx context.Context, c *cluster, server int, was stored, value string) output
	blind() bool
}

// stored is what is read of a register.
type stored struct {
	value string
	index uint64
}

// read asks a server for an object as it is now, and decodes it. An object that is
// not there is left as it is.
func (c *cluster) read(ctx context.Context, server int, path string, into any) bool {
	a, err := c.ask(ctx, server, http.MethodGet, path+"?consistent=true", nil)
	switch {
	case err != nil:
		return false
	case a.status == http.StatusNotFound:
		return true
	}
	return a.status == http.StatusOK && json.Unmarshal(a.body, into) == nil
}

// jobRegister is a job that is registered if its index is as it was. It is never
// placed, and never over.
type jobRegister string

func (j jobRegister) name() string { return "job " + string(j) }

func (jobRegister) blind() bool { return false }

func (j jobRegister) read(ctx context.Context, c *cluster, server int) (stored, bool) {
	var job struct {
		Meta           map[string]string
		JobModifyIndex uint64
	}
	ok := c.read(ctx, server, "/v1/job/"+string(j), &job)
	return stored{job.Meta["value"], job.JobModifyIndex}, ok
}

func (j jobRegister) write(ctx context.Context, c *cluster, server int, was stored, value string) output {
	a, err := c.ask(ctx, server, http.MethodPut, "/v1/jobs", map[string]any{
		"EnforceIndex": true, "JobModifyIndex": was.index,
		"Job": map[string]any{
			"ID": j, "Name": j, "Type": "service", "Datacenters": []string{"nowhere"}, "Meta": map[string]string{"value": value},
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

// autopilotRegister is a number in autopilot's configuration, compared and set by
// its index.
type autopilotRegister struct{}

func (autopilotRegister) name() string { return "autopilot" }

func (autopilotRegister) blind() bool { return false }

const autopilotPath = "/v1/operator/autopilot/configuration"

// firstTrailing is what the number is before anybody has written it.
const firstTrailing = 250

func (autopilotRegister) read(ctx context.Context, c *cluster, server int) (stored, bool) {
	var conf struct{ MaxTrailingLogs, ModifyIndex uint64 }
	ok := c.read(ctx, server, autopilotPath, &conf) && conf.MaxTrailingLogs > 0
	if conf.MaxTrailingLogs == firstTrailing {
		return stored{"", conf.ModifyIndex}, ok
	}
	return stored{strconv.FormatUint(conf.MaxTrailingLogs, 10), conf.ModifyIndex}, ok
}

func (autopilotRegister) write(ctx context.Context, c *cluster, server int, was stored, value string) output {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return output{unknown: true}
	}
	a, err := c.ask(ctx, server, http.MethodPut, fmt.Sprintf("%s?cas=%d", autopilotPath, was.index), map[string]any{
		"CleanupDeadServers": true, "MaxTrailingLogs": n, "ServerStabilizationTime": "2s", "LastContactThreshold": "2s",
	})
	switch {
	case err != nil || a.status != http.StatusOK:
		return output{unknown: true}
	case strings.TrimSpace(string(a.body)) == "true":
		return output{done: true}
	}
	return output{}
}

// namespaceRegister is what is said of a namespace, written whatever it was.
type namespaceRegister string

func (n namespaceRegister) name() string { return "namespace " + string(n) }

func (namespaceRegister) blind() bool { return true }

func (n namespaceRegister) read(ctx context.Context, c *cluster, server int) (stored, bool) {
	var x struct{ Description string }
	ok := c.read(ctx, server, "/v1/namespace/"+string(n), &x)
	return stored{value: x.Description}, ok
}

func (n namespaceRegister) write(ctx context.Context, c *cluster, server int, _ stored, value string) output {
	a, err := c.ask(ctx, server, http.MethodPut, "/v1/namespace/"+string(n), map[string]any{"Name": n, "Description": value})
	if a.failed(err) != nil {
		return output{unknown: true}
	}
	return output{done: true}
}

// tokenRegister is a token: its value is "on" from its creation to its deletion,
// and it is read by its use.
type tokenRegister struct{ accessor, secret string }

func (t *tokenRegister) name() string { return "token " + t.accessor }

func (t *tokenRegister) read(ctx context.Context, c *cluster, server int) (stored, bool) {
	a, err := c.askAs(ctx, t.secret, server, http.MethodGet, "/v1/acl/token/self?consistent=true", nil)
	switch {
	case err == nil && a.status == http.StatusOK:
		return stored{value: "on"}, true
	case err == nil && a.status == http.StatusForbidden:
		return stored{}, true
	}
	return stored{}, false
}

// useToken has a token created, used, deleted and used again, through any server.
func (c *cluster) useToken(id int, r *recorder, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	some := func() int { return random.IntN(len(c.servers)) }
	call := r.now()
	a, err := c.ask(ctx, some(), http.MethodPut, "/v1/acl/token", map[string]any{"Name": fmt.Sprint("chaos-", id), "Type": "management"})
	var made struct{ AccessorID, SecretID string }
	if a.failed(err) != nil || json.Unmarshal(a.body, &made) != nil {
		return // nobody will ever know its secret
	}
	x := &tokenRegister{made.AccessorID, made.SecretID}
	r.add(id, call, x, input{write: true, to: "on"}, output{done: true})
	use := func() {
		call := r.now()
		if s, ok := x.read(ctx, c, some()); ok {
			r.add(id, call, x, input{}, output{value: s.value})
		}
	}
	use()
	use()
	call = r.now()
	a, err = c.ask(ctx, some(), http.MethodDelete, "/v1/acl/token/"+x.accessor, nil)
	out := output{unknown: true}
	if a.failed(err) == nil {
		out = output{done: true}
	}
	r.add(id, call, x, input{write: true, blind: true}, out)
	use()
	use()
}

// tokens has tokens used until ctx ends. It is one caller alone: answers to wrong
// tokens are held back, the more of them an address sends.
func (c *cluster) tokens(ctx context.Context, id int, r *recorder, random *rand.Rand) {
	for ctx.Err() == nil {
		c.useToken(id, r, random)
		rest(ctx, random, time.Second)
	}
}

// serial numbers values.
var serial atomic.Uint64

// perTime is how long callers work on the same registers: histories of many
// operations on one register take long to be checked.
const perTime = 30 * time.Second

// pick chooses what a caller works on.
func pick(r *recorder, random *rand.Rand) writable {
	epoch := time.Duration(r.now()) / perTime
	switch n := random.IntN(10); {
	case n == 0:
		return autopilotRegister{}
	case n < 3:
		return namespaceRegister(fmt.Sprintf("n-%d-%d", epoch, random.IntN(2)))
	}
	return jobRegister(fmt.Sprintf("register-%d-%d", epoch, random.IntN(4)))
}

// caller works on registers until ctx ends: it asks any server, reads, and changes
// what it has read.
func (c *cluster) caller(ctx context.Context, id int, r *recorder, random *rand.Rand) {
	known := map[writable]stored{}
	for ctx.Err() == nil {
		x, server := pick(r, random), random.IntN(len(c.servers))
		ask, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		was, ok := known[x]
		if !ok || random.IntN(3) == 0 {
			call := r.now()
			if s, ok := x.read(ask, c, server); ok {
				r.add(id, call, x, input{}, output{value: s.value, from: server})
				known[x] = s
			}
		} else {
			value := strconv.FormatUint(1_000_000+serial.Add(1), 10)
			call := r.now()
			out := x.write(ask, c, server, was, value)
			out.from = server
			r.add(id, call, x, input{write: true, from: was.value, to: value, blind: x.blind()}, out)
			delete(known, x) // what it is now is to be read
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(random.IntN(20)) * time.Millisecond):
		}
	}
}
