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
	"sync"
	"testing"
	"time"
)

const (
	shortTime = 40 * time.Second
	callers   = 6
)

// builds gives the program and a build of it of a higher protocol version:
// SERAI_BINARY and SERAI_NEWER, or what is built here.
func builds(t *testing.T) [2]string {
	t.Helper()
	built.Do(func() {
		built.dir, built.err = os.MkdirTemp("", "serai-chaos-")
		for i, flags := range []string{"", "-X github.com/seraihq/serai/internal/version.protocolMax=2"} {
			if built.err != nil {
				return
			}
			built.paths[i] = os.Getenv([]string{"SERAI_BINARY", "SERAI_NEWER"}[i])
			if built.paths[i] != "" {
				built.paths[i], built.err = filepath.Abs(built.paths[i])
				continue
			}
			built.paths[i] = filepath.Join(built.dir, fmt.Sprint("serai-", i))
			cmd := exec.Command("go", "build", "-ldflags", flags, "-o", built.paths[i], ".")
			cmd.Dir = "../.."
			if out, err := cmd.CombinedOutput(); err != nil {
				built.err = fmt.Errorf("build: %w\n%s", err, out)
			}
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.paths
}

// built is what was built for all tests.
var built struct {
	sync.Once
	dir   string
	paths [2]string
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(built.dir)
	os.Exit(code)
}

func needs(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces are made by root")
	}
	for _, tool := range []string{"ip", "nft", "nsenter", "mke2fs"} {
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
	limit, short := shortTime, true
	if text := os.Getenv("CHAOS_TIME"); text != "" {
		var err error
		if limit, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		short = false
	}
	seed := setting(t, "CHAOS_SEED", rand.Uint64())
	t.Logf("CHAOS_SEED=%d", seed)
	c := newCluster(t, builds(t), int(setting(t, "CHAOS_SERVERS", 3)), 2)
	tasks := c.steady()
	c.terms(t)

	r := &recorder{start: time.Now()}
	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	var work sync.WaitGroup
	for id := range callers {
		work.Go(func() { c.caller(ctx, id, r, rand.New(rand.NewPCG(seed, uint64(id)+1))) })
	}
	work.Go(func() { c.tokens(ctx, callers, r, rand.New(rand.NewPCG(seed, callers+1))) })
	random := rand.New(rand.NewPCG(seed, 0))
	before, upgraded := context.WithTimeout(ctx, limit*3/4)
	c.torment(before, short, random)
	upgraded()
	c.led()
	c.upgrade()
	if !short {
		c.torment(ctx, short, random)
	}
	stop()
	work.Wait()

	c.led()
	c.last(r)
	c.healthy()
	c.same()
	c.sameTasks(tasks)
	c.terms(t)
	c.stopSteady()
	report := filepath.Join(os.TempDir(), fmt.Sprintf("serai-chaos-%d.html", seed))
	r.check(t, report)
	if r.acks < 10 {
		t.Errorf("only %d writes were acknowledged: the trial says nothing", r.acks)
	}
}

// terms tells how many elections there were.
func (c *cluster) terms(t *testing.T) {
	t.Helper()
	a, err := c.ask(context.Background(), 0, http.MethodGet, "/v1/operator/autopilot/health", nil)
	var h struct {
		Servers []struct{ LastTerm, LastIndex uint64 }
	}
	if err == nil && json.Unmarshal(a.body, &h) == nil && len(h.Servers) > 0 {
		t.Logf("term %d, index %d", h.Servers[0].LastTerm, h.Servers[0].LastIndex)
	}
}

// last reads every register once more from every server: they have healed, so
// each must answer.
func (c *cluster) last(r *recorder) {
	c.t.Helper()
	tokens := 0
	for _, x := range r.registers() {
		if _, is := x.(*tokenRegister); is {
			if tokens++; tokens > 3 { // wrong ones are answered slowly
				continue
			}
		}
		for i := range c.servers {
			c.until(fmt.Sprintf("server %d reads %s", i, x.name()), func(ctx context.Context) error {
				call := r.now()
				s, ok := x.read(ctx, c, i)
				if !ok {
					return fmt.Errorf("no answer")
				}
				r.add(callers+1+i, call, x, input{}, output{value: s.value})
				return nil
			})
		}
	}
}
