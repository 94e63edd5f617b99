package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/seraihq/serai/internal/imagefile"
)

// steadyScript says that it starts, and goes on for ever.
const steadyScript = "echo begun; exec sleep 100000"

// serveImage serves an image to the agents; false: there is none here.
func (c *cluster) serveImage() (ref string, ok bool) {
	c.t.Helper()
	files, err := imagefile.Busybox()
	if err != nil {
		c.t.Logf("no task of the container driver: %v", err)
		return "", false
	}
	var archive bytes.Buffer
	if err := imagefile.Write(&archive, "app:1", imagefile.Config{Env: []string{"PATH=/bin"}, Cmd: []string{"sleep", "6000"}}, files, nil); err != nil {
		c.t.Fatal(err)
	}
	img, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	l, err := c.nw.listen(c.registry())
	if err != nil {
		c.t.Fatal(err)
	}
	s := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	go func() { _ = s.Serve(l) }()
	c.t.Cleanup(func() { s.Close() })
	to, err := name.ParseReference(c.registry()+"/app:1", name.Insecure)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := remote.Write(to, img, remote.WithTransport(c.http.Transport)); err != nil {
		c.t.Fatal(err)
	}
	return to.String(), true
}

// steadyAlloc is an allocation of a steady job.
type steadyAlloc struct {
	ID           string
	JobID        string
	NodeID       string
	ClientStatus string
	TaskStates   map[string]struct {
		State    string
		Restarts int
	}
}

// steady starts tasks that nothing here may restart, on all clients, and gives
// their allocations.
func (c *cluster) steady() map[string]string {
	c.t.Helper()
	shell := map[string]any{"command": "/bin/sh", "args": []string{"-c", steadyScript}}
	jobs := map[string]map[string]any{"raw_exec": shell, "exec": shell}
	if image, ok := c.serveImage(); ok {
		jobs["container"] = map[string]any{"image": image, "command": "sh", "args": []string{"-c", steadyScript}}
	}
	for driver, config := range jobs {
		job := map[string]any{
			"ID": "steady-" + driver, "Name": "steady-" + driver, "Type": "service",
			"Constraints": []any{map[string]any{"Operand": "distinct_hosts", "RTarget": "true"}},
			"TaskGroups": []any{map[string]any{"Name": "g", "Count": len(c.clients), "Tasks": []any{map[string]any{
				"Name": "t", "Driver": driver, "Config": config, "Resources": map[string]any{"CPU": 20, "MemoryMB": 32},
			}}}},
		}
		c.until("job steady-"+driver+" is registered", func(ctx context.Context) error {
			a, err := c.ask(ctx, 0, http.MethodPut, "/v1/jobs", map[string]any{"Job": job})
			return a.failed(err)
		})
	}
	var found map[string]string
	c.until("the steady tasks run", func(ctx context.Context) (err error) {
		found, err = c.steadyRuns(ctx, len(jobs)*len(c.clients))
		return err
	})
	return found
}

// steadyRuns gives the steady allocations, by ID the node, once as many as wanted
// run, each started once.
func (c *cluster) steadyRuns(ctx context.Context, want int) (map[string]string, error) {
	a, err := c.ask(ctx, 0, http.MethodGet, "/v1/allocations?consistent=true", nil)
	if err := a.failed(err); err != nil {
		return nil, err
	}
	var list []steadyAlloc
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, x := range list {
		if !strings.HasPrefix(x.JobID, "steady-") {
			continue
		}
		if x.ClientStatus != "running" || x.TaskStates["t"].State != "running" {
			return nil, fmt.Errorf("allocation %s of %s is %s", x.ID, x.JobID, x.ClientStatus)
		}
		out[x.ID] = x.NodeID
	}
	if len(out) != want {
		return nil, fmt.Errorf("%d run, want %d", len(out), want)
	}
	return out, nil
}

// sameTasks looks whether the steady tasks are those that they were, and whether
// the servers know that they run.
func (c *cluster) sameTasks(were map[string]string) {
	c.t.Helper()
	var are map[string]string
	c.until("the steady allocations run", func(ctx context.Context) (err error) {
		are, err = c.steadyRuns(ctx, len(were))
		return err
	})
	for id := range were {
		if _, ok := are[id]; !ok {
			c.t.Errorf("allocation %s was replaced: there are %v", id, are)
			continue
		}
		c.until("the output of "+id, func(context.Context) error {
			begun, damaged, err := c.begun(id)
			if err == nil && begun != 1 && !damaged {
				c.t.Errorf("the task of allocation %s was started %d times", id, begun)
			}
			return err
		})
		c.until("one process of "+id, func(context.Context) error {
			if n := processes(id); n != 1 {
				return fmt.Errorf("there are %d", n)
			}
			return nil
		})
	}
}

// processes counts the processes of an allocation's task.
func processes(id string) int {
	n := 0
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environs {
		env, _ := os.ReadFile(path)
		comm, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "comm"))
		if strings.TrimSpace(string(comm)) == "sleep" && strings.Contains(string(env), "NOMAD_ALLOC_ID="+id) {
			n++
		}
	}
	return n
}

// begun counts how often the task of an allocation was started, by what it wrote,
// and says whether the store of its client was damaged: where the record of a task
// is dropped, it is stopped and started anew.
func (c *cluster) begun(id string) (n int, damaged bool, err error) {
	for _, m := range c.clients {
		found, _ := filepath.Glob(filepath.Join(m.dir, "alloc", id, "alloc/logs/t.stdout.*"))
		for _, path := range found {
			b, err := os.ReadFile(path)
			if err != nil {
				return 0, false, err
			}
			n += strings.Count(string(b), "begun\n")
		}
		if n > 0 {
			return n, m.damaged, nil
		}
	}
	return 0, false, fmt.Errorf("there is none")
}

// stopSteady has the steady jobs stopped and their allocations collected.
func (c *cluster) stopSteady() {
	c.t.Helper()
	for _, driver := range []string{"raw_exec", "exec", "container"} {
		c.until("job steady-"+driver+" is stopped", func(ctx context.Context) error {
			a, err := c.ask(ctx, 0, http.MethodDelete, "/v1/job/steady-"+driver+"?purge=true", nil)
			if err == nil && a.status == http.StatusNotFound {
				return nil
			}
			return a.failed(err)
		})
	}
	for _, m := range c.clients {
		c.until(fmt.Sprintf("client %d has collected its allocations", m.index), func(ctx context.Context) error {
			if a, err := c.ask(ctx, m.index, http.MethodGet, "/v1/client/gc", nil); a.failed(err) != nil {
				return a.failed(err)
			}
			entries, err := os.ReadDir(filepath.Join(m.dir, "alloc"))
			if err == nil && len(entries) > 0 {
				err = fmt.Errorf("%d directories are left", len(entries))
			}
			return err
		})
	}
}
