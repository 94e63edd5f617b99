package task

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

var update = flag.Bool("update", false, "rewrite the golden traces")

// A script under testdata begins with the task's spec, then has one event a
// line: the time since the line before, the kind, and its facts. The golden
// file beside it is the whole trace.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.script")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".script"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			golden := strings.TrimSuffix(path, ".script") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("trace differs (-want +got); run with -update and read the diff:\n%s", diff)
			}
		})
	}
}

func play(t *testing.T, text string) string {
	var spec Spec
	var st State
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var out strings.Builder
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := words(line)
		if len(fields) == 0 {
			continue
		}
		if fields[0] == "spec" {
			spec = parseSpec(t, fields[1:])
			continue
		}
		d, err := time.ParseDuration(strings.TrimPrefix(fields[0], "+"))
		if err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
		now = now.Add(d)
		ev := parseEvent(t, fields[1:])
		ev.Time = now
		fmt.Fprintln(&out, strings.TrimSpace(line))
		next, actions := spec.Step(st, ev)
		trace(&out, st, next, actions)
		st = next
	}
	return out.String()
}

// words splits at spaces outside quotes.
func words(line string) []string {
	var out []string
	var word strings.Builder
	quoted := false
	for _, r := range strings.TrimSpace(line) + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ' ' && !quoted:
			if word.Len() > 0 {
				out = append(out, word.String())
				word.Reset()
			}
		default:
			word.WriteRune(r)
		}
	}
	return out
}

func parseSpec(t *testing.T, fields []string) Spec {
	s := Spec{Name: "web", KillTimeout: 5 * time.Second, Policy: api.RestartPolicy{
		Attempts: 2, Interval: api.Duration(30 * time.Minute), Delay: api.Duration(15 * time.Second), Mode: api.RestartModeFail,
	}}
	duration := func(v string) time.Duration {
		d, err := time.ParseDuration(v)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, f := range fields {
		k, v, _ := strings.Cut(f, "=")
		switch k {
		case "service":
			s.RestartOnSuccess = true
		case "attempts":
			s.Policy.Attempts, _ = strconv.Atoi(v)
		case "interval":
			s.Policy.Interval = api.Duration(duration(v))
		case "delay":
			s.Policy.Delay = api.Duration(duration(v))
		case "mode":
			s.Policy.Mode = v
		case "kill-signal":
			s.KillSignal = v
		case "kill-timeout":
			s.KillTimeout = duration(v)
		case "shutdown-delay":
			s.ShutdownDelay = duration(v)
		default:
			t.Fatalf("unknown part of a spec: %s", f)
		}
	}
	return s
}

func parseEvent(t *testing.T, fields []string) Event {
	ev := Event{Kind: EventKind(fields[0])}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, "=")
		switch k {
		case "err":
			ev.Err = v
		case "recoverable":
			ev.Recoverable = true
		case "code":
			ev.Exit.ExitCode, _ = strconv.Atoi(v)
		case "signal":
			ev.Exit.Signal, _ = strconv.Atoi(v)
		case "oom":
			ev.Exit.OOMKilled = true
		case "unknown":
			ev.Exit.Err = errors.New("exit status unknown")
		case "jitter":
			ev.Jitter, _ = strconv.ParseFloat(v, 64)
		case "no-delay":
			ev.NoDelay = true
		case "now":
			ev.NoDelay, ev.Now = true, true
		case "revive":
			ev.Revive = true
		case "from-checkpoint":
			ev.FromCheckpoint = true
		case "sibling":
			ev.Cause = SiblingFailed(v)
		case "leader":
			ev.Cause = LeaderDead()
		case "fails":
			ev.Cause = KillReason(v, true)
		case "asked":
			ev.Cause = RestartRequested(v)
		case "sent":
			ev.Cause = Signaling(v, "")
		default:
			t.Fatalf("unknown part of an event: %s", f)
		}
	}
	return ev
}

func trace(out *strings.Builder, before, after State, actions []Action) {
	if before.Phase != after.Phase {
		fmt.Fprintf(out, "    phase %s\n", after.Phase)
	}
	b, a := before.Task, after.Task
	if b.State != a.State || b.Failed != a.Failed || b.Restarts != a.Restarts {
		fmt.Fprintf(out, "    state %s failed=%v restarts=%d\n", a.State, a.Failed, a.Restarts)
	}
	if before.FromCheckpoint != after.FromCheckpoint {
		fmt.Fprintf(out, "    from checkpoint %v\n", after.FromCheckpoint)
	}
	for _, e := range a.Events {
		known := false
		for _, old := range b.Events {
			known = known || old == e
		}
		if !known {
			fmt.Fprintf(out, "    event %s: %s\n", e.Type, e.DisplayMessage)
		}
	}
	for _, action := range actions {
		fmt.Fprintf(out, "    do %s", action.Kind)
		if action.Delay != 0 {
			fmt.Fprintf(out, " %v", action.Delay)
		}
		if action.Kind == Stop {
			fmt.Fprintf(out, " signal=%q timeout=%v", action.Signal, action.Timeout)
		}
		if action.Urgent {
			fmt.Fprint(out, " urgent")
		}
		fmt.Fprintln(out)
	}
}

// Step must not change the state that it is given: others read it.
func TestStepIsPure(t *testing.T) {
	spec := Spec{Name: "web", Policy: api.RestartPolicy{Attempts: 2, Interval: api.Duration(time.Hour), Mode: api.RestartModeFail}}
	st := State{}
	now := time.Unix(1, 0)
	for range 20 {
		for _, kind := range []EventKind{Create, Go, SetUpDone, StartDone, Exited, TimerFired} {
			before := fmt.Sprintf("%+v", deep(st))
			next, _ := spec.Step(st, Event{Kind: kind, Time: now, Exit: drivers.ExitResult{ExitCode: 1}})
			if after := fmt.Sprintf("%+v", deep(st)); after != before {
				t.Fatalf("%s changed its state:\n%s\n%s", kind, before, after)
			}
			if len(next.Task.Events) > api.MaxTaskEvents {
				t.Fatalf("%d events kept", len(next.Task.Events))
			}
			st = next
		}
	}
}

func deep(st State) any {
	events := make([]api.TaskEvent, 0, len(st.Task.Events))
	for _, e := range st.Task.Events {
		events = append(events, *e)
	}
	st.Task.Events = nil
	return []any{st, events}
}
