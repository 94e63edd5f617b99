package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// full gives a task state in which every field is set, by reflection: a new
// field that is not packed makes the test fail.
func full(t *testing.T) map[string]*TaskState {
	t.Helper()
	at := time.Unix(1700000000, 123).UTC()
	e := &TaskEvent{}
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprintf("text %d", i))
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(-i * 1e9))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{"exit_code": "0", "other": "x"}))
		default:
			t.Fatalf("%s: pack it", v.Type().Field(i).Name)
		}
	}
	started := &TaskEvent{Type: TaskStarted, Time: at.UnixNano(), DisplayMessage: "Task started by client"}
	return map[string]*TaskState{
		"web":  {State: TaskStateDead, Failed: true, Suspended: true, Restarts: 3, LastRestart: at, StartedAt: at.Add(1), FinishedAt: at.Add(2), Events: []*TaskEvent{e, started}},
		"side": {State: TaskStateRunning, StartedAt: at},
		"none": {},
	}
}

func TestPackedTaskStates(t *testing.T) {
	want := full(t)
	a := &Allocation{ID: "a", TaskStates: want}
	plain, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	a.Pack()
	if a.TaskStates != nil || a.Packed == "" {
		t.Fatal("not packed")
	}
	if got := a.States(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if packed, err := json.Marshal(a); err != nil || string(packed) != string(plain) {
		t.Errorf("as JSON: %s, %v", packed, err)
	}
	if again := PackTaskStates(a.States()); again != a.Packed {
		t.Error("packed again it differs")
	}
	empty := &Allocation{}
	if empty.Pack(); empty.States() != nil {
		t.Error("states out of nothing")
	}
}

func TestPackedTaskStatesAreSmall(t *testing.T) {
	now := time.Now().UTC()
	p := PackTaskStates(map[string]*TaskState{"server": {State: TaskStateRunning, StartedAt: now, Events: []*TaskEvent{
		{Type: TaskReceived, Time: now.UnixNano(), DisplayMessage: "Task received by client"},
		{Type: TaskSetup, Time: now.UnixNano() + 1e6, Message: TaskBuildingTaskDir, DisplayMessage: TaskBuildingTaskDir},
		{Type: TaskStarted, Time: now.UnixNano() + 2e6, DisplayMessage: "Task started by client"},
	}}})
	if len(p) > 64 {
		t.Errorf("%d bytes", len(p))
	}
}

func FuzzUnpackTaskStates(f *testing.F) {
	f.Add("")
	f.Add(string(PackTaskStates(map[string]*TaskState{"t": {State: "running", Events: []*TaskEvent{{Type: "x", Details: map[string]string{"a": "b"}}}}})))
	f.Fuzz(func(t *testing.T, s string) {
		once := PackedTaskStates(s).Unpack()
		if again := PackTaskStates(once).Unpack(); len(again) != len(once) {
			t.Errorf("%d tasks, then %d", len(once), len(again))
		}
	})
}
