package rpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

var (
	testJob   = &api.Job{ID: "web", Namespace: "default", Type: "service", Version: 3, TaskGroups: []*api.TaskGroup{{Name: "g", Count: 2, Tasks: []*api.Task{{Name: "t", Driver: "mock", Config: map[string]any{"run_for": "1s"}}}}}}
	testTasks = map[string]*api.AllocatedTaskResources{"t": {Cpu: api.AllocatedCpuResources{CpuShares: 100}, Memory: api.AllocatedMemoryResources{MemoryMB: 32}}}
)

// allocation gives one of a job, with every part that travels.
func allocation(n int) *api.Allocation {
	yes := true
	return &api.Allocation{
		ID: fmt.Sprintf("00000000-0000-0000-0000-%012d", n), Namespace: "default", EvalID: "e", Name: fmt.Sprintf("web.g[%d]", n),
		NodeID: "n1", NodeName: "one", JobID: "web", Job: testJob, TaskGroup: "g",
		AllocatedResources: &api.AllocatedResources{Tasks: testTasks, Shared: api.AllocatedSharedResources{
			DiskMB: 300, Ports: []api.PortMapping{{Label: "http", Value: 20000 + n, HostIP: "127.0.0.1"}},
			Networks: []*api.NetworkResource{{Device: "lo", IP: "127.0.0.1"}},
		}},
		DesiredStatus: "run", DesiredDescription: "so", DesiredTransition: api.DesiredTransition{Migrate: &yes},
		ClientStatus: "running", ClientDescription: "well",
		TaskStates:   map[string]*api.TaskState{"t": {State: "running", StartedAt: time.Unix(5, 0).UTC(), Events: []*api.TaskEvent{{Type: "Started", Time: 5}}}},
		DeploymentID: "d", DeploymentStatus: &api.AllocDeploymentStatus{Healthy: &yes}, FollowupEvalID: "f",
		PreviousAllocation: "p", NextAllocation: "x", RescheduleTracker: &api.RescheduleTracker{LastReschedule: "ok"},
		NetworkStatus: &api.AllocNetworkStatus{Address: "10.0.0.1"}, PreemptedAllocations: []string{"v"}, PreemptedByAllocation: "w",
		CreateIndex: 1, ModifyIndex: 2, AllocModifyIndex: 3, CreateTime: 4, ModifyTime: 5,
	}
}

// TestEveryFieldTravels: a field that is added to an allocation is sent too, or
// named here as one that is not.
func TestEveryFieldTravels(t *testing.T) {
	a := allocation(1)
	v := reflect.ValueOf(*a)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Metrics" && name != "Packed" && v.Field(i).IsZero() {
			t.Errorf("%s: set it in allocation() and send it", name)
		}
	}
}

func encodeTest(t testing.TB, m *api.NodeSync) []byte {
	t.Helper()
	b, err := new(encoded).encodeSync(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSyncTravels(t *testing.T) {
	plain := &api.Allocation{ID: "a", Job: testJob, AllocatedResources: &api.AllocatedResources{}}
	bare := &api.Allocation{ID: "b", Job: &api.Job{ID: "other"}}
	want := &api.NodeSync{Index: 7, Full: true, Removed: []string{"r"}, Allocs: []*api.Allocation{allocation(1), allocation(2), plain, bare}}
	again := &api.NodeSync{Index: 8, Resumed: true}
	if got, err := new(decoded).decodeSync(encodeTest(t, again)); err != nil || !wire.Same(got, again) {
		t.Errorf("got %+v, %v", got, err)
	}
	b := encodeTest(t, want)
	got, err := new(decoded).decodeSync(b)
	if err != nil || !wire.Same(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if got.Allocs[0].Job != got.Allocs[2].Job {
		t.Error("the job came twice")
	}
	second := *want
	second.Allocs = append(second.Allocs, allocation(3))
	if more := len(encodeTest(t, &second)) - len(b); more > 800 {
		t.Errorf("one allocation more takes %d bytes", more)
	}
}

func TestJoblessAllocationIsRefused(t *testing.T) {
	_, err := new(encoded).encodeSync(nil, &api.NodeSync{Allocs: []*api.Allocation{{ID: "x"}}})
	if err == nil || !strings.Contains(err.Error(), "allocation x") {
		t.Errorf("got %v", err)
	}
}

func TestFrames(t *testing.T) {
	frame, err := sealFrame(append(newFrame(), strings.Repeat("x", trust+1)...), frameMessage)
	if err != nil {
		t.Fatal(err)
	}
	kind, body, err := readFrame(bytes.NewReader(frame))
	if err != nil || kind != frameMessage || len(body) != trust+1 {
		t.Fatalf("got %d, %d bytes, %v", kind, len(body), err)
	}
	for n := 1; n < len(frame); n += 997 {
		if _, _, err := readFrame(bytes.NewReader(frame[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if _, _, err := readFrame(bytes.NewReader(nil)); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if _, _, err := readFrame(strings.NewReader("\xff\xff\xff\xff\x01")); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("a huge length: %v", err)
	}
}

func FuzzDecodeSync(f *testing.F) {
	f.Add([]byte{})
	f.Add(encodeTest(f, &api.NodeSync{Full: true}))
	f.Add(encodeTest(f, &api.NodeSync{Index: 3, Resumed: true, Removed: []string{"r"}}))
	f.Add(encodeTest(f, &api.NodeSync{Index: 7, Removed: []string{"r"}, Allocs: []*api.Allocation{allocation(1), allocation(2)}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := new(decoded).decodeSync(b)
		if err != nil {
			return
		}
		again, err := new(decoded).decodeSync(encodeTest(t, m))
		if err != nil || len(again.Allocs) != len(m.Allocs) {
			t.Fatalf("what was decoded does not travel: %v", err)
		}
	})
}

func FuzzDecodeUpdate(f *testing.F) {
	b, err := encodeUpdate(&api.AllocUpdateRequest{NodeID: "n", SecretID: "s"}, []*api.Allocation{allocation(1), {ID: "x"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := decodeUpdate(b)
		if err != nil {
			return
		}
		b, err = encodeUpdate(req, req.Allocs)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeUpdate(b)
		if err != nil || !wire.Same(again, req) {
			t.Fatalf("what was decoded does not travel: %v", err)
		}
	})
}

func FuzzDecodeMany(f *testing.F) {
	b, err := encodeMany([]*api.AllocUpdateRequest{{NodeID: "n", SecretID: "s", Allocs: []*api.Allocation{allocation(1), {ID: "x"}}}, {NodeID: "m", Allocs: []*api.Allocation{allocation(2)}}, {}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		reqs, err := decodeMany(b)
		if err != nil {
			return
		}
		b, err = encodeMany(reqs)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeMany(b)
		if err != nil || !wire.Same(again, reqs) {
			t.Fatalf("what was decoded does not travel: %v", err)
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	frame, _ := errorFrame(api.ErrNotFound)
	f.Add(frame)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		for {
			kind, body, err := readFrame(r)
			if err != nil {
				return
			}
			if kind == frameError {
				_ = decodeErrorFrame(body)
			}
		}
	})
}
