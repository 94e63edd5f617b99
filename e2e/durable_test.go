package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"
	"go.etcd.io/bbolt"

	"github.com/seraihq/serai/e2e/rig"
)

// sequence is a task that prints consecutive numbers, many each second.
const sequence = `i=0; while true; do echo "$i"; i=$((i+1)); [ $((i % 20)) = 0 ] && sleep 0.02; done`

// whole checks that the output is 0, 1, 2, … without a gap and gives the last number.
func whole(t *testing.T, out string) int {
	t.Helper()
	lines := strings.Split(out, "\n")
	last := -1
	for _, l := range lines[:len(lines)-1] { // the last line may be half
		n, err := strconv.Atoi(l)
		if err != nil || n != last+1 {
			t.Fatalf("after line %d comes %q", last, l)
		}
		last = n
	}
	return last
}

// grows waits until the output has gone on by some lines.
func (a *agent) grows(t *testing.T, alloc, task string) int {
	t.Helper()
	from, last := whole(t, a.logs(t, alloc, task, "stdout")), 0
	eventually(t, "the output goes on", func() (bool, string) {
		last = whole(t, a.logs(t, alloc, task, "stdout"))
		return last > from+100, fmt.Sprintf("line %d, was %d", last, from)
	})
	return last
}

// drivers under test for what outlives the agent.
func survivors(t *testing.T) []string {
	if os.Getuid() != 0 {
		return []string{"raw_exec"}
	}
	return []string{"raw_exec", "exec"}
}

// pidOf finds the process that prints: by environment for raw_exec, by cgroup else.
func (a *agent) pidOf(t *testing.T, alloc string) map[int]bool {
	t.Helper()
	pids := map[int]bool{}
	eventually(t, "a process of the allocation", func() (bool, string) {
		clear(pids)
		for _, p := range a.Processes() {
			group, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.PID))
			if p.Kind == "task" && (a.belongs(p.PID, alloc) || strings.Contains(string(group), alloc)) && strings.Contains(p.Command, "echo") {
				pids[p.PID] = true
			}
		}
		return len(pids) == 1, fmt.Sprint(a.Processes())
	})
	return pids
}

func same(x, y map[int]bool) bool {
	if len(x) != len(y) {
		return false
	}
	for k := range x {
		if !y[k] {
			return false
		}
	}
	return true
}

func TestKillOfAgentLosesNothing(t *testing.T) {
	t.Parallel()
	for _, driver := range survivors(t) {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			a := start(t, rig.Options{})
			id := a.jobID(t)
			a.register(t, strings.ReplaceAll(oneGroup(id, "service", "count = 2", shell("t", sequence, `kill_timeout = "500ms"`,
				"logs {\n max_files = 10\n max_file_size = 10\n}")), `"raw_exec"`, strconv.Quote(driver)))
			allocs := a.waitStatus(t, id, "running", 2)
			before := map[string]map[int]bool{}
			for _, s := range allocs {
				a.grows(t, s.ID, "t")
				before[s.ID] = a.pidOf(t, s.ID)
			}
			for round := range 2 {
				if err := a.Kill(); err != nil {
					t.Fatal(err)
				}
				for id, pids := range before {
					for pid := range pids {
						if !alive(pid) {
							t.Fatalf("round %d: process %d of %s died with the agent", round, pid, id)
						}
					}
				}
				a.launch(t)
				for _, s := range a.waitStatus(t, id, "running", 2) {
					if now := a.pidOf(t, s.ID); !same(now, before[s.ID]) {
						t.Errorf("round %d: %s has processes %v, had %v", round, s.Name, now, before[s.ID])
					}
					a.grows(t, s.ID, "t")
					if ts := a.alloc(t, s.ID).TaskStates["t"]; ts.Restarts != 0 || ts.State != "running" {
						t.Errorf("round %d: task state %+v", round, ts)
					}
				}
			}
			if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
				t.Fatal(err)
			}
			for _, s := range a.waitStatus(t, id, "complete", 2) {
				whole(t, a.logs(t, s.ID, "t", "stdout"))
			}
			a.leavesNothing(t, syscall.SIGTERM)
		})
	}
}

func TestTaskThatEndsWhileTheAgentIsAway(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{})
	id := a.jobID(t)
	gate := filepath.Join(a.Dir, "gate")
	a.register(t, oneGroup(id, "batch", noRestart, shell("t", "echo begin; while [ ! -e "+gate+" ]; do sleep 0.02; done; echo end; exit 9")))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stdout", "begin")
	pid := a.taskPID(t, s.ID, "t")
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the task ends", func() (bool, string) { return !alive(pid), "it lives" })
	a.launch(t)
	s = a.waitOne(t, id, "failed")
	if out := a.logs(t, s.ID, "t", "stdout"); out != "begin\nend\n" {
		t.Errorf("output %q", out)
	}
	if e := event(a.alloc(t, s.ID), "t", "Terminated"); e == nil || e.ExitCode != 9 {
		t.Errorf("Terminated %+v, want exit code 9: the driver host saw it", e)
	}
}

func TestKillOfDriverHostLosesNothing(t *testing.T) {
	t.Parallel()
	for _, driver := range survivors(t) {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			a := start(t, rig.Options{Dev: true})
			id := a.jobID(t)
			a.register(t, strings.ReplaceAll(oneGroup(id, "service", shell("t", sequence, `kill_timeout = "500ms"`)), `"raw_exec"`, strconv.Quote(driver)))
			s := a.waitOne(t, id, "running")
			a.grows(t, s.ID, "t")
			before := a.pidOf(t, s.ID)
			for round := range 2 {
				hosts := a.Hosts(driver)
				if len(hosts) != 1 {
					t.Fatalf("round %d: %d hosts of %s: %v", round, len(hosts), driver, a.Processes())
				}
				if err := syscall.Kill(hosts[0].PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				eventually(t, "another host has taken over", func() (bool, string) {
					h := a.Hosts(driver)
					return len(h) == 1 && h[0].PID != hosts[0].PID, fmt.Sprint(h)
				})
				a.grows(t, s.ID, "t")
				if now := a.pidOf(t, s.ID); !same(now, before) {
					t.Errorf("round %d: processes %v, had %v", round, now, before)
				}
				if ts := a.alloc(t, s.ID).TaskStates["t"]; ts.Restarts != 0 || ts.State != "running" {
					t.Errorf("round %d: task state %+v", round, ts)
				}
				// The host works: a command and a signal reach the task.
				if r := a.cli(t, "alloc", "exec", s.ID[:8], "/bin/true"); r.code != 0 {
					t.Errorf("round %d: exec: %v", round, r)
				}
			}
			if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
				t.Fatal(err)
			}
			a.waitOne(t, id, "complete")
			whole(t, a.logs(t, s.ID, "t", "stdout"))
			a.leavesNothing(t, syscall.SIGINT)
		})
	}
}

func TestKillOfBothAgentAndHost(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{})
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", shell("t", sequence, `kill_timeout = "500ms"`)))
	s := a.waitOne(t, id, "running")
	a.grows(t, s.ID, "t")
	before := a.pidOf(t, s.ID)
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, h := range a.Hosts("") {
		syscall.Kill(h.PID, syscall.SIGKILL)
	}
	a.launch(t)
	a.waitOne(t, id, "running")
	if now := a.pidOf(t, s.ID); !same(now, before) {
		t.Errorf("processes %v, had %v", now, before)
	}
	a.grows(t, s.ID, "t")
}

func TestAcknowledgedRegistrationsSurvive(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{NoClient: true})
	body := func(id string) string {
		return fmt.Sprintf(`{"Job":{"ID":%q,"Name":%q,"Type":"service","Datacenters":["nowhere"],"TaskGroups":[{"Name":"g","Count":1,"Tasks":[{"Name":"t","Driver":"raw_exec","Config":{"command":"/bin/true"}}]}]}}`, id, id)
	}
	var acked []string
	for round := range 3 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for w := range 4 {
			wg.Go(func() {
				client := &http.Client{Timeout: 5 * time.Second}
				for n := 0; ctx.Err() == nil; n++ {
					id := fmt.Sprintf("job-%d-%d-%d", round, w, n)
					req, _ := http.NewRequestWithContext(ctx, http.MethodPut, a.Address+"/v1/jobs", strings.NewReader(body(id)))
					resp, err := client.Do(req)
					if err != nil {
						return
					}
					resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						return
					}
					mu.Lock()
					acked = append(acked, id)
					mu.Unlock()
				}
			})
		}
		goal := len(acked) + 100
		eventually(t, "100 registrations", func() (bool, string) {
			mu.Lock()
			defer mu.Unlock()
			return len(acked) >= goal, fmt.Sprint(len(acked))
		})
		if err := a.Kill(); err != nil {
			t.Fatal(err)
		}
		cancel()
		wg.Wait()
		a.launch(t)
		var jobs []nomad.JobListStub
		a.get(t, "/v1/jobs", &jobs)
		have := map[string]bool{}
		for _, j := range jobs {
			have[j.ID] = true
		}
		missing := 0
		for _, id := range acked {
			if !have[id] {
				missing++
			}
		}
		if missing > 0 {
			t.Fatalf("round %d: %d of %d acknowledged jobs are gone", round, missing, len(acked))
		}
	}
	t.Logf("%d acknowledged registrations over 3 kills", len(acked))
}

func TestStateIsWholeAfterRestart(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{})
	id := a.jobID(t)
	hcl := oneGroup(id, "service", shell("t", "echo up; exec sleep 600", `kill_timeout = "500ms"`))
	a.register(t, hcl)
	s := a.waitOne(t, id, "running")
	a.register(t, strings.Replace(hcl, "type =", "priority = 70\n type =", 1))
	a.waitAllocs(t, id, "version 1", func(s stubs) bool { return len(s) == 1 && s[0].JobVersion == 1 })
	eventually(t, "version 1 is stable", func() (bool, string) {
		j, _, err := a.nomad.Jobs().Info(id, nil)
		return err == nil && *j.Version == 1 && *j.Stable, fmt.Sprint(j, err)
	})
	if r := a.do(t, "PUT", "/v1/namespace/kept", map[string]string{"Name": "kept", "Description": "d"}); r.status != 200 {
		t.Fatalf("namespace: %d %s", r.status, r.body)
	}
	paths := []string{"/v1/job/" + id, "/v1/job/" + id + "/versions", "/v1/job/" + id + "/evaluations", "/v1/allocation/" + s.ID,
		"/v1/job/" + id + "/summary", "/v1/namespace/kept", "/v1/operator/scheduler/configuration", "/v1/job/" + id + "/submission?version=0"}
	read := func() map[string]string {
		out := map[string]string{}
		for _, p := range paths {
			r := a.do(t, "GET", p, nil)
			out[p] = fmt.Sprint(r.status, " ", string(r.body))
		}
		return out
	}
	a.waitLogs(t, s.ID, "t", "stdout", "up")
	before := read()
	for _, end := range []func() error{
		a.Kill,
		func() error { return stopWith(a, syscall.SIGTERM) },
		a.Kill,
		func() error { return stopWith(a, syscall.SIGINT) },
	} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		a.launch(t)
		a.waitOne(t, id, "running")
		for p, want := range before {
			if strings.HasPrefix(p, "/v1/allocation/") {
				continue // its task states may be written anew
			}
			if got := fmt.Sprint(func() (int, string, string) {
				r := a.do(t, "GET", p, nil)
				return r.status, " ", string(r.body)
			}()); got != want {
				t.Errorf("%s\nbefore: %s\nafter:  %s", p, want, got)
			}
		}
		after := a.alloc(t, s.ID)
		if after.ClientStatus != "running" || after.TaskStates["t"].Restarts != 0 {
			t.Errorf("allocation after restart: %s %+v", after.ClientStatus, after.TaskStates["t"])
		}
	}
}

func stopWith(a *agent, s syscall.Signal) error {
	code, err := a.Stop(s)
	if err == nil && code != 0 {
		err = fmt.Errorf("%v: exit code %d", s, code)
	}
	return err
}

func TestNodeKeepsItsIdentity(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{})
	var before, after []nomad.NodeListStub
	a.get(t, "/v1/nodes", &before)
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	a.get(t, "/v1/nodes", &after)
	if len(after) != 1 || after[0].ID != before[0].ID {
		t.Errorf("nodes %+v, were %+v", after, before)
	}
}

func TestSecondAgentOnOneDataDir(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{})
	second := prepare(t, rig.Options{Args: []string{"-data-dir", a.DataDir()}})
	if err := second.Launch(); err != nil {
		t.Fatal(err)
	}
	code, err := second.Wait(10 * time.Second)
	if err != nil || code == 0 {
		t.Fatalf("the second agent: exit code %d, %v", code, err)
	}
	log := second.Log()
	if !strings.Contains(log, a.DataDir()) || !strings.Contains(log, strconv.Itoa(a.PID())) {
		t.Errorf("the error names neither directory nor the process that holds it:\n%s", log)
	}
}

func TestCorruptClientState(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"zeroed":    func(path string) error { return os.WriteFile(path, make([]byte, 32<<10), 0o600) },
		"truncated": func(path string) error { return os.Truncate(path, 4096) },
		"removed":   os.Remove,
		"empty":     func(path string) error { return os.Truncate(path, 0) },
		"a task":    func(path string) error { return flipRecord(path, "tasks") },
		"a runner":  func(path string) error { return flipRecord(path, "runners") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, rig.Options{})
			id := a.jobID(t)
			a.register(t, oneGroup(id, "service", shell("t", "exec sleep 600", `kill_timeout = "500ms"`)))
			s := a.waitOne(t, id, "running")
			pid := a.taskPID(t, s.ID, "t")
			if err := a.Kill(); err != nil {
				t.Fatal(err)
			}
			files, _ := filepath.Glob(filepath.Join(a.DataDir(), "client", "*.db"))
			if len(files) == 0 {
				t.Fatalf("no client state file under %s", a.DataDir())
			}
			for _, f := range files {
				if err := damage(f); err != nil {
					t.Fatal(err)
				}
			}
			a.launch(t)
			// The task is adopted, or stopped and the allocation goes on some way; never two of it, never none.
			a.waitAllocs(t, id, "one allocation runs", func(s stubs) bool { return len(s.with("running")) == 1 })
			eventually(t, "exactly one process of the task", func() (bool, string) {
				var procs []string
				for _, p := range a.Processes() {
					if p.Kind == "task" && strings.Contains(p.Command, "sleep 600") {
						procs = append(procs, p.Command)
					}
				}
				return len(procs) == 1, fmt.Sprint(procs)
			})
			t.Logf("the first process lives on: %t", alive(pid))
		})
	}
}

// flipRecord flips a bit in the first record of a bucket of a client's state.
func flipRecord(path, bucket string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Minute})
	if err != nil {
		return err
	}
	return errors.Join(db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		key, value := b.Cursor().First()
		if key == nil {
			return fmt.Errorf("nothing in %s of %s", bucket, path)
		}
		value = bytes.Clone(value)
		value[len(value)/2] ^= 1
		return b.Put(bytes.Clone(key), value)
	}), db.Close())
}

func TestCorruptRaftLogIsRefused(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{NoClient: true})
	for i := range 20 {
		body := fmt.Sprintf(`{"Name":"n%d"}`, i)
		if r := a.do(t, "PUT", fmt.Sprintf("/v1/namespace/n%d", i), body); r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	var segments []string
	filepath.WalkDir(filepath.Join(a.DataDir(), "server"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".wal") {
			segments = append(segments, path)
		}
		return nil
	})
	if len(segments) == 0 {
		t.Fatalf("no log segments under %s", a.DataDir())
	}
	// Flip bytes in the middle of what was written: an entry that was acknowledged.
	text, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "n10")
	if at < 0 {
		t.Fatal("the entry is not in the segment in plain")
	}
	for i := range 3 {
		text[at+i] ^= 0xff
	}
	if err := os.WriteFile(segments[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Launch(); err != nil {
		t.Fatal(err)
	}
	code, err := a.Wait(patience)
	if err != nil || code == 0 {
		var list []nomad.Namespace
		r := a.do(t, "GET", "/v1/namespaces", nil)
		t.Fatalf("an agent with a damaged log: exit code %d, %v; namespaces %s %v", code, err, r.body, list)
	}
	log := strings.ToLower(a.Log())
	if strings.Contains(log, "panic:") || strings.Contains(log, "goroutine ") {
		t.Error("it ends by a panic")
	}
	if !strings.Contains(log, "restore") && !strings.Contains(log, "snapshot") && !strings.Contains(log, "backup") {
		t.Error("the error does not say what to do")
	}
}

func TestSnapshotCommands(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{NoClient: true})
	for i := range 5 {
		a.do(t, "PUT", fmt.Sprintf("/v1/namespace/n%d", i), fmt.Sprintf(`{"Name":"n%d"}`, i))
	}
	path := filepath.Join(t.TempDir(), "backup.snap")
	a.ok(t, "operator", "snapshot", "save", path)
	if out := a.ok(t, "operator", "snapshot", "inspect", path); !strings.Contains(out, "Index") {
		t.Errorf("inspect: %q", out)
	}
	var info map[string]any
	a.okJSON(t, &info, "operator", "snapshot", "inspect", "-json", path)
	a.do(t, "PUT", "/v1/namespace/later", `{"Name":"later"}`)

	damaged := filepath.Join(t.TempDir(), "damaged.snap")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 0xff
	os.WriteFile(damaged, text, 0o600)
	if r := a.cli(t, "operator", "snapshot", "inspect", damaged); r.code != 1 {
		t.Errorf("inspect of a damaged file: %v", r)
	}
	if r := a.cli(t, "operator", "snapshot", "restore", damaged); r.code != 1 {
		t.Errorf("restore of a damaged file: %v", r)
	}
	var list []nomad.Namespace
	if a.get(t, "/v1/namespaces", &list); len(list) != 7 { // default, n0 to n4, later
		t.Errorf("after a refused restore: %d namespaces, want 7", len(list))
	}
	a.ok(t, "operator", "snapshot", "restore", path)
	if a.get(t, "/v1/namespaces", &list); len(list) != 6 {
		t.Errorf("after the restore: %d namespaces, want 6", len(list))
	}
	// It holds also over a restart.
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	if a.get(t, "/v1/namespaces", &list); len(list) != 6 {
		t.Errorf("after a restart: %d namespaces, want 6", len(list))
	}
	// And in another cluster.
	b := start(t, rig.Options{NoClient: true})
	b.ok(t, "operator", "snapshot", "restore", path)
	if b.get(t, "/v1/namespaces", &list); len(list) != 6 {
		t.Errorf("in another cluster: %d namespaces, want 6", len(list))
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=200m"); err != nil {
		t.Skipf("cannot mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			t.Error(err)
		}
	})
	a := prepare(t, rig.Options{NoClient: true, Args: []string{"-data-dir", dir}})
	a.launch(t)
	if r := a.do(t, "PUT", "/v1/namespace/first", `{"Name":"first"}`); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	f.Close()
	// Writes are refused or, while room was set aside, accepted; what is acknowledged is kept.
	acked, refused := []string{"first"}, 0
	big := strings.Repeat("x", 900)
	for i := 0; i < 4000 && refused < 3; i++ {
		if closedNow(a.Done()) {
			break
		}
		name := fmt.Sprintf("n%d", i)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, a.Address+"/v1/namespace/"+name,
			strings.NewReader(fmt.Sprintf(`{"Name":%q,"Description":%q}`, name, big)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			refused++
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == 200 {
			acked = append(acked, name)
		} else {
			refused++
		}
	}
	t.Logf("%d writes acknowledged on a full disk, %d refused, agent ended: %t", len(acked), refused, closedNow(a.Done()))
	if closedNow(a.Done()) {
		if log := a.Log(); !strings.Contains(log, "no space left") {
			t.Errorf("the agent ended and does not say why")
		}
	} else if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	var list []nomad.Namespace
	a.get(t, "/v1/namespaces", &list)
	have := map[string]bool{}
	for _, n := range list {
		have[n.Name] = true
	}
	for _, n := range acked {
		if !have[n] {
			t.Errorf("acknowledged namespace %s is gone", n)
		}
	}
}

func TestDevLeavesNothing(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true})
	id := a.jobID(t)
	tasks := []string{shell("a", "trap '' TERM INT; while true; do sleep 0.05; done", `kill_timeout = "500ms"`)}
	if os.Getuid() == 0 {
		tasks = append(tasks, execTask("b", "exec sleep 600", `kill_timeout = "500ms"`))
	}
	a.register(t, oneGroup(id, "service", tasks...))
	a.waitOne(t, id, "running")
	a.leavesNothing(t, syscall.SIGINT)
	if left, _ := os.ReadDir(filepath.Join(a.Dir, "tmp")); len(left) != 0 {
		t.Errorf("left in the temporary directory: %v", left)
	}
}

func TestSIGTERMLeavesTasksRunning(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{})
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", shell("t", sequence, `kill_timeout = "500ms"`)))
	s := a.waitOne(t, id, "running")
	a.grows(t, s.ID, "t")
	before := a.pidOf(t, s.ID)
	if err := stopWith(a, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for pid := range before {
		if !alive(pid) {
			t.Fatal("the task of a durable agent ended with it")
		}
	}
	a.launch(t)
	a.waitOne(t, id, "running")
	if now := a.pidOf(t, s.ID); !same(now, before) {
		t.Errorf("processes %v, had %v", now, before)
	}
	a.grows(t, s.ID, "t")
}

func TestReloadOfLogLevel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	level := filepath.Join(dir, "level.hcl")
	if err := os.WriteFile(level, []byte("log_level = \"ERROR\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := start(t, rig.Options{Args: []string{"-config", level}})
	if strings.Contains(a.Log(), "DEBUG") {
		t.Error("debug lines at level error")
	}
	if err := os.WriteFile(level, []byte("log_level = \"DEBUG\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", mockTask("t", `run_for = "10ms"`)))
	eventually(t, "debug lines", func() (bool, string) {
		log := strings.ToUpper(a.Log())
		return strings.Contains(log, "DEBUG") || strings.Contains(log, "LEVEL=INFO"), log
	})
}
