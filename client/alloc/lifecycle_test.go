package alloc

import (
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/task"
)

var anyTime = time.Unix(1000, 0)

// group builds members from words such as "init:prestart=dead", "main=running",
// "side:prestart+sidecar=waiting", "lead+leader=failed".
func group(text string) []member {
	var out []member
	for _, word := range strings.Fields(text) {
		spec, state, _ := strings.Cut(word, "=")
		spec, flags, _ := strings.Cut(spec, "+")
		name, hook, _ := strings.Cut(spec, ":")
		t := &api.Task{Name: name, Leader: strings.Contains(flags, "leader")}
		if hook != "" {
			t.Lifecycle = &api.TaskLifecycle{Hook: hook, Sidecar: strings.Contains(flags, "sidecar")}
		}
		m := member{task: t, state: task.State{Phase: task.Phase(state), Task: api.TaskState{State: api.TaskStatePending}}}
		switch state {
		case "running", "delayed", "stopping":
			m.state.Task.State, m.state.Task.StartedAt = api.TaskStateRunning, anyTime
			m.state.Killed = state != "running"
		case "dead", "failed":
			m.state.Phase = task.Dead
			m.state.Task = api.TaskState{State: api.TaskStateDead, Failed: state == "failed", StartedAt: anyTime}
		case "never": // dead without ever having run
			m.state.Phase = task.Dead
			m.state.Task = api.TaskState{State: api.TaskStateDead}
		}
		out = append(out, m)
	}
	return out
}

func told(orders []order) string {
	var out []string
	for _, o := range orders {
		text := string(o.event.Kind) + " " + o.task
		if o.event.Cause != nil {
			text += " (" + o.event.Cause.Type + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestDecide(t *testing.T) {
	stop := wish{kill: true}
	for _, test := range []struct {
		what, tasks string
		wish        wish
		want        string
	}{
		{"one task", "main=waiting", wish{}, "go main"},
		{"prestart first", "main=waiting init:prestart=waiting side:prestart+sidecar=waiting", wish{}, "go init, go side"},
		{"main waits for init", "main=waiting init:prestart=running side:prestart+sidecar=running", wish{}, ""},
		{"main waits for the sidecar", "main=waiting init:prestart=dead side:prestart+sidecar=starting", wish{}, ""},
		{"main goes", "main=waiting init:prestart=dead side:prestart+sidecar=running", wish{}, "go main"},
		{"poststart waits", "main=starting after:poststart=waiting", wish{}, ""},
		{"poststart goes", "main=running after:poststart=waiting", wish{}, "go after"},
		{"poststop waits", "main=running clean:poststop=waiting", wish{}, ""},
		{"poststop goes", "main=dead clean:poststop=waiting", wish{}, "go clean"},
		{"poststop after a failure", "main=failed clean:poststop=waiting", wish{}, "go clean"},
		{"poststop after a stop", "main=dead clean:poststop=waiting", stop, "go clean"},
		{"poststop of what never ran", "main=never clean:poststop=waiting", stop, "kill clean"},
		{"poststop is skipped", "main=dead clean:poststop=waiting", wish{kill: true, skipPoststop: true}, "kill clean"},
		{"prestart fails", "main=waiting init:prestart=failed", wish{}, "kill main (Sibling Task Failed)"},
		{"a sibling fails", "a=failed b=running c=waiting", wish{}, "kill c (Sibling Task Failed), kill b (Sibling Task Failed)"},
		{"the leader ends", "lead+leader=dead b=running", wish{}, "kill b (Leader Task Dead)"},
		{"mains end", "main=dead side:prestart+sidecar=running once:poststart=running", wish{}, "kill side (Main Tasks Dead)"},
		{"stop: leader first", "lead+leader=running b=running side:poststart+sidecar=running", stop, "kill lead"},
		{"stop: then followers", "lead+leader=dead b=running side:poststart+sidecar=running", stop, "kill b"},
		{"stop: sidecars last", "lead+leader=dead b=dead side:poststart+sidecar=running", stop, "kill side"},
		{"stop: told once", "main=stopping", stop, ""},
		{"stop: the delay is cut short", "main=delayed", wish{kill: true, noDelay: true}, "kill main"},
		{"restarting is not over", "main=backoff after:poststart=dead", wish{}, ""},
		{"all over", "main=dead", wish{}, ""},
	} {
		if got := told(decide(group(test.tasks), test.wish)); got != test.want {
			t.Errorf("%s: %s: %q, want %q", test.what, test.tasks, got, test.want)
		}
	}
}

func TestClientStatus(t *testing.T) {
	for tasks, want := range map[string]string{
		"a=waiting":                     api.AllocClientPending,
		"a=running b=waiting":           api.AllocClientRunning,
		"a=dead b=waiting":              api.AllocClientPending,
		"a=backoff":                     api.AllocClientPending,
		"a=failed b=running":            api.AllocClientRunning, // its ports are still taken
		"a=failed b=dead":               api.AllocClientFailed,
		"a=dead b=dead":                 api.AllocClientComplete,
		"a=dead clean:poststop=waiting": api.AllocClientPending,
	} {
		if got, _ := clientStatus(group(tasks)); got != want {
			t.Errorf("%s: %s, want %s", tasks, got, want)
		}
	}
}
