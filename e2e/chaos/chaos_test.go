package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	shortTime = 40 * time.Second
	callers   = 6
	registers = 4
)

// built gives the program: SERAI_BINARY, or one that is built here.
func built(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("SERAI_BINARY"); path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return abs
	}
	path := filepath.Join(t.TempDir(), "serai")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

func needs(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces are made by root")
	}
	for _, tool := range []string{"ip", "nft", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
}

// setting reads a number of the environment.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func TestChaos(t *testing.T) {
	needs(t)
	limit := shortTime
	if text := os.Getenv("CHAOS_TIME"); text != "" {
		var err error
		if limit, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := setting(t, "CHAOS_SEED", rand.Uint64())
	t.Logf("CHAOS_SEED=%d", seed)
	c := newCluster(t, built(t), 3)
	c.led()
	pid := c.steady()

	r := &recorder{start: time.Now()}
	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	jobs := make([]string, registers)
	for i := range jobs {
		jobs[i] = fmt.Sprint("register-", i)
	}
	var work sync.WaitGroup
	for id := range callers {
		work.Go(func() { c.caller(ctx, id, jobs, r, rand.New(rand.NewPCG(seed, uint64(id)+1))) })
	}
	c.torment(ctx, rand.New(rand.NewPCG(seed, 0)))
	work.Wait()

	c.led()
	c.last(jobs, r)
	c.same()
	c.sameTask(pid)
	c.stopSteady()
	report := filepath.Join(os.TempDir(), fmt.Sprintf("serai-chaos-%d.html", seed))
	r.check(t, report)
	if r.acks < 10 {
		t.Errorf("only %d writes were acknowledged: the trial says nothing", r.acks)
	}
}

// torment breaks one thing after the other, and heals it.
func (c *cluster) torment(ctx context.Context, random *rand.Rand) {
	faults := []struct {
		name string
		do   func(ctx context.Context, random *rand.Rand)
	}{
		{"kill a server", func(ctx context.Context, r *rand.Rand) { c.kill(ctx, c.servers[r.IntN(len(c.servers))], r) }},
		{"kill the leader", func(ctx context.Context, r *rand.Rand) { c.kill(ctx, c.servers[c.leader()], r) }},
		{"kill the client", func(ctx context.Context, r *rand.Rand) { c.kill(ctx, c.client, r) }},
		{"kill all servers", func(ctx context.Context, r *rand.Rand) {
			for _, m := range c.servers {
				m.signal(syscall.SIGKILL)
			}
			for _, m := range c.servers {
				m.wait(10 * time.Second)
				c.start(m)
			}
		}},
		{"stop the leader for a while", func(ctx context.Context, r *rand.Rand) {
			m := c.servers[c.leader()]
			m.signal(syscall.SIGSTOP)
			rest(ctx, r, 3*time.Second)
			m.signal(syscall.SIGCONT)
		}},
		{"cut off the leader", func(ctx context.Context, r *rand.Rand) { c.isolate(ctx, c.leader(), r) }},
		{"cut off a server", func(ctx context.Context, r *rand.Rand) { c.isolate(ctx, r.IntN(len(c.servers)), r) }},
		{"cut all from each other", func(ctx context.Context, r *rand.Rand) {
			for i := range c.servers {
				for j := range c.servers {
					if i != j {
						c.nw.cut(c.t, i, j)
					}
				}
			}
			rest(ctx, r, 3*time.Second)
			c.nw.heal(c.t)
		}},
		{"cut one way", func(ctx context.Context, r *rand.Rand) {
			i := c.leader()
			c.nw.cut(c.t, i, (i+1+r.IntN(len(c.servers)-1))%len(c.servers))
			rest(ctx, r, 4*time.Second)
			c.nw.heal(c.t)
		}},
	}
	for ctx.Err() == nil {
		rest(ctx, random, 3*time.Second)
		f := faults[random.IntN(len(faults))]
		c.t.Logf("%s", f.name)
		f.do(ctx, random)
	}
}

// rest waits between half of and all of a time, or for the end.
func rest(ctx context.Context, random *rand.Rand, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(most/2 + time.Duration(random.Int64N(int64(most/2)))):
	}
}

// leader finds the server that says that it leads; the first when none does.
func (c *cluster) leader() int {
	for i := range c.servers {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		a, err := c.ask(ctx, i, http.MethodGet, "/v1/agent/health?type=leader", nil)
		cancel()
		if err == nil && a.status == http.StatusOK {
			return i
		}
	}
	return 0
}

func (c *cluster) kill(ctx context.Context, m *member, random *rand.Rand) {
	m.signal(syscall.SIGKILL)
	m.wait(10 * time.Second)
	rest(ctx, random, 2*time.Second)
	c.start(m)
}

// isolate cuts a server off from the other servers, both ways.
func (c *cluster) isolate(ctx context.Context, i int, random *rand.Rand) {
	for j := range c.servers {
		if i != j {
			c.nw.cut(c.t, i, j)
			c.nw.cut(c.t, j, i)
		}
	}
	rest(ctx, random, 5*time.Second)
	c.nw.heal(c.t)
}

// last reads every register once more from every server: they have healed, so
// each must answer.
func (c *cluster) last(jobs []string, r *recorder) {
	c.t.Helper()
	for i := range c.servers {
		for _, job := range jobs {
			c.until(fmt.Sprintf("server %d reads %s", i, job), func(ctx context.Context) error {
				call := r.now()
				s, ok := c.read(ctx, i, job)
				if !ok {
					return fmt.Errorf("no answer")
				}
				r.add(callers+i, call, input{job: job}, output{value: s.value})
				return nil
			})
		}
	}
}

// steady starts a task that nothing here may restart, and gives its process.
func (c *cluster) steady() string {
	c.t.Helper()
	file := filepath.Join(c.dir, "steady")
	c.until("the steady job is registered", func(ctx context.Context) error {
		a, err := c.ask(ctx, 0, http.MethodPut, "/v1/jobs", map[string]any{"Job": map[string]any{
			"ID": "steady", "Name": "steady", "Type": "service",
			"TaskGroups": []any{map[string]any{"Name": "g", "Count": 1, "Tasks": []any{map[string]any{
				"Name": "t", "Driver": "raw_exec", "Config": map[string]any{"command": "/bin/sh", "args": []string{"-c", "echo $$ >> " + file + "; exec sleep 100000"}},
			}}}},
		}})
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("%d %s", a.status, a.body)
		}
		return err
	})
	var pid string
	c.until("the steady task runs", func(context.Context) error {
		b, err := os.ReadFile(file)
		pid = strings.TrimSpace(string(b))
		if err == nil && pid == "" {
			err = fmt.Errorf("it has not said its process yet")
		}
		return err
	})
	c.t.Cleanup(func() {
		b, _ := os.ReadFile(file)
		for line := range strings.Lines(string(b)) {
			if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && n > 1 {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
	})
	return pid
}

// stopSteady has the steady job stopped and its allocation collected.
func (c *cluster) stopSteady() {
	c.t.Helper()
	c.until("the steady job is stopped", func(ctx context.Context) error {
		a, err := c.ask(ctx, 0, http.MethodDelete, "/v1/job/steady?purge=true", nil)
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("%d %s", a.status, a.body)
		}
		return err
	})
	c.until("the client has collected the steady allocation", func(ctx context.Context) error {
		if a, err := c.ask(ctx, c.client.index, http.MethodGet, "/v1/client/gc", nil); err != nil || a.status != http.StatusOK {
			return fmt.Errorf("%+v %v", a, err)
		}
		entries, err := os.ReadDir(filepath.Join(c.client.dir, "alloc"))
		if err == nil && len(entries) > 0 {
			err = fmt.Errorf("%d directories are left", len(entries))
		}
		return err
	})
}

// sameTask looks whether the steady task is the process that it was, and whether
// the servers know that it runs.
func (c *cluster) sameTask(pid string) {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, "steady"))
	if err != nil || strings.TrimSpace(string(b)) != pid {
		c.t.Errorf("the steady task was started anew: %q, %v", b, err)
	}
	if _, err := os.Stat("/proc/" + pid); err != nil {
		c.t.Errorf("the steady task is gone: %v", err)
	}
	c.until("the steady allocation runs", func(ctx context.Context) error {
		a, err := c.ask(ctx, 0, http.MethodGet, "/v1/job/steady/allocations", nil)
		if err != nil {
			return err
		}
		var list []struct{ ClientStatus string }
		if err := json.Unmarshal(a.body, &list); err != nil || len(list) != 1 || list[0].ClientStatus != "running" {
			return fmt.Errorf("%s", a.body)
		}
		return nil
	})
}
