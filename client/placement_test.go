package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/device"
	"github.com/seraihq/serai/client/fingerprint"
	"github.com/seraihq/serai/internal/cgroup"
)

// What the scheduler may grant beside CPU and memory, seen by real tasks.

func isolated(name, script string) *api.Task {
	t := shell(name, script)
	t.Driver = "exec"
	return t
}

func needRoot(t *testing.T) {
	t.Helper()
	if l, err := cgroup.Find(); os.Geteuid() != 0 || err != nil || l.Version == 0 {
		t.Skip("not here: it takes root and control groups")
	}
}

// reachable makes a directory that tasks of any user can get to.
func reachable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for p := dir; p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o777)
	}
	return dir
}

func output(t *testing.T, a *agent, id, path string) string {
	t.Helper()
	f, err := a.ReadFileAt(t.Context(), id, path, 0, 0)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	b, _ := io.ReadAll(f)
	return string(b)
}

func history(a *api.Allocation) string {
	var out strings.Builder
	for name, st := range a.TaskStates {
		for _, e := range st.Events {
			fmt.Fprintf(&out, "%s: %s: %s\n", name, e.Type, e.DisplayMessage)
		}
	}
	return out.String()
}

func TestHostVolumes(t *testing.T) {
	needRoot(t)
	s := newCluster()
	rw, ro := reachable(t), reachable(t)
	cfg := config(t, reachable(t), s)
	cfg.StopTasks = true
	cfg.HostVolumes = map[string]*api.HostVolumeInfo{"data": {Path: rw}, "data[0]": {Path: ro, ReadOnly: true}}
	a := start(t, cfg)
	alloc := newAlloc("batch", isolated("main", "echo hello >/srv/data/f; touch /srv/own/f 2>/dev/null || echo refused >/srv/data/own"))
	group := alloc.Job.TaskGroups[0]
	group.Volumes = map[string]*api.VolumeRequest{
		"v": {Name: "v", Type: "host", Source: "data"}, "o": {Name: "o", Type: "host", Source: "data", PerAlloc: true},
	}
	group.Tasks[0].VolumeMounts = []*api.VolumeMount{{Volume: "v", Destination: "/srv/data"}, {Volume: "o", Destination: "srv/own"}}
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientComplete)
	for name, want := range map[string]string{"f": "hello\n", "own": "refused\n"} {
		if b, err := os.ReadFile(filepath.Join(rw, name)); string(b) != want {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
	if n := a.Node(); n.HostVolumes["data"].Path != rw {
		t.Errorf("node %+v", n.HostVolumes)
	}
	// What cannot be mounted is told, and not tried again.
	for what, test := range map[string]struct {
		driver, volume, destination, want string
	}{
		"no isolation":    {"raw_exec", "v", "/data", `driver "raw_exec" cannot mount volumes`},
		"not on the node": {"exec", "gone", "/data", `this node has no host volume "none"`},
		"escape":          {"exec", "v", "../../etc", "beneath the task's root"},
		"hides":           {"exec", "v", "/proc/self", "would hide"},
	} {
		bad := newAlloc("batch", isolated("main", "true"))
		g := bad.Job.TaskGroups[0]
		g.Volumes = map[string]*api.VolumeRequest{"v": group.Volumes["v"], "gone": {Name: "gone", Type: "host", Source: "none"}}
		g.Tasks[0].Driver = test.driver
		g.Tasks[0].VolumeMounts = []*api.VolumeMount{{Volume: test.volume, Destination: test.destination}}
		s.put(bad)
		if text := history(s.status(t, bad.ID, api.AllocClientFailed)); !strings.Contains(text, test.want) {
			t.Errorf("%s: %s", what, text)
		}
	}
	cfg = config(t, t.TempDir(), s)
	cfg.HostVolumes = map[string]*api.HostVolumeInfo{"data": {Path: "/no/such"}}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), `host_volume "data": /no/such does not exist`) {
		t.Errorf("start with a missing volume: %v", err)
	}
}

func TestDevices(t *testing.T) {
	needRoot(t)
	s := newCluster()
	cfg := config(t, reachable(t), s)
	cfg.StopTasks = true
	cfg.Devices = []device.Config{{
		Name: "acme/gpu/z", IDs: []string{"Z-0", "Z-1"}, Env: "ACME_VISIBLE", Attributes: map[string]string{"memory": "8 GiB"},
		InstancePaths: map[string][]string{"Z-0": {"/dev/null"}, "Z-1": {"/dev/no-such-node"}},
	}}
	a := start(t, cfg)
	d := a.Node().NodeResources.Devices
	if len(d) != 1 || !d[0].Instances[0].Healthy || d[0].Instances[1].Healthy {
		t.Fatalf("node %+v", d)
	}
	alloc := newAlloc("batch", isolated("main", "echo $SERAI_DEVICE_GPU $SERAI_DEVICE_GPU_SHARE $ACME_VISIBLE >$NOMAD_TASK_DIR/out"))
	alloc.Job.TaskGroups[0].Tasks[0].Resources.Devices = []*api.RequestedDevice{{Name: "gpu", Count: 1, Share: 0.5}}
	alloc.AllocatedResources.Tasks["main"].Devices = []*api.AllocatedDeviceResource{{Vendor: "acme", Type: "gpu", Name: "z", DeviceIDs: []string{"Z-0"}, Share: 0.5}}
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientComplete)
	if got := output(t, a, alloc.ID, "main/local/out"); got != "Z-0 0.5 Z-0\n" {
		t.Errorf("%q", got)
	}
}

// Tasks with cores of their own have them alone; the others get them back afterwards.
func TestCores(t *testing.T) {
	needRoot(t)
	if l, err := cgroup.Find(); err != nil || !l.Has("cpuset") || runtime.NumCPU() < 2 {
		t.Skip("not here: it takes the cpuset control group and two cores")
	}
	s := newCluster()
	cfg := config(t, reachable(t), s)
	cfg.StopTasks = true
	a := start(t, cfg)
	if n := a.Node().NodeResources.Cpu; len(n.ReservableCpuCores) != runtime.NumCPU() {
		t.Errorf("reservable %v", n.ReservableCpuCores)
	}
	look := "while :; do grep Cpus_allowed_list /proc/self/status | cut -f2 >$NOMAD_TASK_DIR/new; mv $NOMAD_TASK_DIR/new $NOMAD_TASK_DIR/cores; sleep 0.05; done"
	var shared []*api.Allocation
	for _, make := range []func(string, string) *api.Task{shell, isolated} {
		shared = append(shared, newAlloc("service", make("main", look)))
	}
	cores := func(id string) string { return strings.TrimSpace(output(t, a, id, "main/local/cores")) }
	all, _ := fingerprint.UsableCores(&fingerprint.Config{})
	whole := fmt.Sprintf("0-%d", len(all)-1)
	s.put(shared...)
	for _, x := range shared {
		eventually(t, "all cores", func() bool { return cores(x.ID) == whole })
	}
	own := newAlloc("service", isolated("main", "echo $NOMAD_CPU_CORES >$NOMAD_TASK_DIR/env; "+look))
	own.AllocatedResources.Tasks["main"].Cpu.ReservedCores = []uint16{uint16(len(all) - 1)}
	late := newAlloc("service", shell("main", look))
	s.put(own, late)
	left := strings.TrimSuffix(fmt.Sprintf("0-%d", len(all)-2), "-0")
	for _, x := range append(shared, late) {
		eventually(t, "the remainder", func() bool { return cores(x.ID) == left })
	}
	eventually(t, "its own core", func() bool { return cores(own.ID) == fmt.Sprint(len(all)-1) })
	if got := output(t, a, own.ID, "main/local/env"); got != fmt.Sprintln(len(all)-1) {
		t.Errorf("NOMAD_CPU_CORES=%q", got)
	}
	s.stop(own.ID)
	for _, x := range append(shared, late) {
		eventually(t, "all cores again", func() bool { return cores(x.ID) == whole })
	}
}

// One for which others are preempted starts when they have ended, not before.
func TestPreemptionWaits(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	victim := newAlloc("service", shell("main", "trap 'sleep 0.5; date +%s%N >$NOMAD_ALLOC_DIR/data/ended; exit' TERM INT; echo $$ >$NOMAD_ALLOC_DIR/data/pid; while :; do sleep 0.05; done"))
	s.put(victim)
	s.status(t, victim.ID, api.AllocClientRunning)
	waitForPid(t, filepath.Join(a.cfg.AllocDir, victim.ID, "alloc/data/pid"))
	next := newAlloc("batch", shell("main", "date +%s%N >$NOMAD_ALLOC_DIR/data/began"))
	next.PreemptedAllocations = []string{victim.ID}
	s.put(next)
	s.await(t, "it waits", func() bool {
		return strings.Contains(history(s.allocs[next.ID]), "Waiting for the end of allocation "+victim.ID)
	})
	evicted := *victim
	evicted.DesiredStatus, evicted.PreemptedByAllocation = api.AllocDesiredEvict, next.ID
	s.put(&evicted)
	s.status(t, next.ID, api.AllocClientComplete)
	ended, began := output(t, a, victim.ID, "alloc/data/ended"), output(t, a, next.ID, "alloc/data/began")
	if len(ended) != len(began) || ended >= began {
		t.Errorf("the victim ended at %q, its successor began at %q", ended, began)
	}
}

// sticky makes an allocation that keeps its disk, and one that takes its place.
func sticky(disk api.EphemeralDisk) (first, second *api.Allocation) {
	first = newAlloc("service", shell("main", "echo kept >$NOMAD_TASK_DIR/mine; echo kept >$NOMAD_ALLOC_DIR/data/ours; echo secret >$NOMAD_SECRETS_DIR/s; echo $$ >$NOMAD_TASK_DIR/pid; exec sleep 1000"))
	second = newAlloc("batch", shell("main", "cat $NOMAD_TASK_DIR/mine $NOMAD_ALLOC_DIR/data/ours >$NOMAD_ALLOC_DIR/out; ls -A $NOMAD_SECRETS_DIR >>$NOMAD_ALLOC_DIR/out"))
	first.Job.TaskGroups[0].EphemeralDisk, second.Job.TaskGroups[0].EphemeralDisk = &disk, &disk
	second.PreviousAllocation = first.ID
	return first, second
}

func TestDiskMovesOnTheNode(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	first, second := sticky(api.EphemeralDisk{Sticky: true, SizeMB: 10})
	s.put(first)
	s.status(t, first.ID, api.AllocClientRunning)
	waitForPid(t, filepath.Join(a.cfg.AllocDir, first.ID, "main/local/pid"))
	s.put(second)
	s.stop(first.ID)
	s.status(t, second.ID, api.AllocClientComplete)
	if got := output(t, a, second.ID, "alloc/out"); got != "kept\nkept\n" {
		t.Errorf("%q", got)
	}
}

func TestDiskComesFromAnotherNode(t *testing.T) {
	s1, s2 := newCluster(), newCluster()
	old := dev(t, s1)
	first, second := sticky(api.EphemeralDisk{Migrate: true, SizeMB: 10})
	s1.put(first)
	s1.status(t, first.ID, api.AllocClientRunning)
	waitForPid(t, filepath.Join(old.cfg.AllocDir, first.ID, "main/local/pid"))
	cfg := config(t, t.TempDir(), s2)
	cfg.StopTasks = true
	cfg.Fetch = func(ctx context.Context, id string) (io.ReadCloser, error) {
		write, err := old.Snapshot(ctx, id, time.Minute)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		err = write(&b)
		return io.NopCloser(&b), err
	}
	a := start(t, cfg)
	s2.put(second)
	s2.await(t, "it waits for the other node", func() bool { return strings.Contains(history(s2.allocs[second.ID]), "Fetching the data") })
	s1.stop(first.ID)
	s2.status(t, second.ID, api.AllocClientComplete)
	if got := output(t, a, second.ID, "alloc/out"); got != "kept\nkept\n" {
		t.Errorf("%q", got)
	}
	if list, _ := a.ListFiles(t.Context(), second.ID, "/"); len(list) != 2 {
		t.Errorf("what was gathered aside is still there: %v", list)
	}
	// What cannot be had is told, and the allocation starts all the same.
	_, third := sticky(api.EphemeralDisk{Migrate: true, SizeMB: 10})
	third.PreviousAllocation = "11111111-2222-3333-4444-555555555555"
	s2.put(third)
	if text := history(s2.status(t, third.ID, api.AllocClientComplete)); !strings.Contains(text, "are lost, and the disk begins empty: unknown allocation") {
		t.Errorf("%s", text)
	}
}

func TestPayload(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	alloc := newAlloc("batch", shell("main", "cp $NOMAD_TASK_DIR/in/payload.bin $NOMAD_ALLOC_DIR/out; echo $NOMAD_META_color $NOMAD_META_COLOR $NOMAD_JOB_PARENT_ID $NOMAD_ALLOC_INDEX >$NOMAD_ALLOC_DIR/env"))
	alloc.Job.Payload, alloc.Job.ParentID, alloc.Job.Meta = []byte("a\x00\xffb"), "parent", map[string]string{"color": "red"}
	alloc.Job.TaskGroups[0].Tasks[0].DispatchPayload = &api.DispatchPayloadConfig{File: "in/payload.bin"}
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientComplete)
	if got := output(t, a, alloc.ID, "alloc/out"); got != "a\x00\xffb" {
		t.Errorf("payload %q", got)
	}
	if got := output(t, a, alloc.ID, "alloc/env"); got != "red red parent 0\n" {
		t.Errorf("environment %q", got)
	}
}
