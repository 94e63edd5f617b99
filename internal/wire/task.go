package wire

import (
	"slices"
	"time"

	"github.com/seraihq/serai/api"
)

// Tasks writes the states of an allocation's tasks. Of an event only the
// fields that are set are written.
func (w *Writer) Tasks(tasks map[string]*api.TaskState) {
	w.Uint(uint64(len(tasks)))
	for _, name := range sortedNames(tasks) {
		t := tasks[name]
		if t == nil {
			t = &api.TaskState{}
		}
		w.Ref(name)
		w.Ref(t.State)
		w.Byte(taskFlags(t))
		w.Uint(t.Restarts)
		w.Time(t.LastRestart)
		w.Time(t.StartedAt)
		w.Time(t.FinishedAt)
		w.Uint(uint64(len(t.Events)))
		for _, e := range t.Events {
			if e == nil {
				e = &api.TaskEvent{}
			}
			w.event(e)
		}
	}
}

// What is or is not so of a task, as bits of one byte.
const (
	flagFailed = 1 << iota
	flagSuspended
	flagsUnknown
)

func taskFlags(t *api.TaskState) (flags byte) {
	if t.Failed {
		flags |= flagFailed
	}
	if t.Suspended {
		flags |= flagSuspended
	}
	return flags
}

func (r *Reader) taskFlags(t *api.TaskState) {
	flags := r.Byte()
	if flags >= flagsUnknown {
		r.fail("task flags")
	}
	t.Failed, t.Suspended = flags&flagFailed != 0, flags&flagSuspended != 0
}

// Tasks reads the states of an allocation's tasks.
func (r *Reader) Tasks() map[string]*api.TaskState {
	n := r.Len()
	tasks := make(map[string]*api.TaskState, n)
	for range n {
		name := r.Ref()
		t := &api.TaskState{State: r.Ref()}
		r.taskFlags(t)
		t.Restarts = r.Uint()
		t.LastRestart, t.StartedAt, t.FinishedAt = r.Time(), r.Time(), r.Time()
		if events := r.Len(); events > 0 {
			t.Events = make([]*api.TaskEvent, events)
		}
		for i := range t.Events {
			t.Events[i] = new(api.TaskEvent)
			r.event(t.Events[i])
		}
		if r.err != nil {
			return nil
		}
		tasks[name] = t
	}
	return tasks
}

// Time writes an instant: whether there is one, seconds and nanoseconds.
func (w *Writer) Time(t time.Time) {
	if t.IsZero() {
		w.Byte(0)
		return
	}
	w.Byte(1)
	w.Int(t.Unix())
	w.Uint(uint64(t.Nanosecond()))
}

// Time reads an instant, in UTC.
func (r *Reader) Time() time.Time {
	if !r.Bool() {
		return time.Time{}
	}
	sec, nsec := r.Int(), r.Uint()
	if nsec >= uint64(time.Second) {
		r.fail("time")
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Strings writes a map of strings, sorted.
func (w *Writer) Strings(m map[string]string) {
	w.Uint(uint64(len(m)))
	for _, k := range sortedNames(m) {
		w.Ref(k)
		w.Ref(m[k])
	}
}

// Strings reads a map of strings, nil when it is empty.
func (r *Reader) Strings() map[string]string {
	n := r.Len()
	if n == 0 {
		return nil
	}
	m := make(map[string]string, n)
	for range n {
		k := r.Ref()
		m[k] = r.Ref()
	}
	return m
}

// texts lists the text fields of an event in the order of their bits. The
// order is for ever; new fields go to the end.
func texts(e *api.TaskEvent) [16]*string {
	return [16]*string{
		&e.Type, &e.DisplayMessage, &e.Message, &e.RestartReason, &e.SetupError, &e.DriverError,
		&e.DriverMessage, &e.KillReason, &e.KillError, &e.DownloadError, &e.ValidationError,
		&e.FailedSibling, &e.VaultError, &e.TaskSignalReason, &e.TaskSignal, &e.GenericSource,
	}
}

// numbers does the same for the number fields.
func numbers(e *api.TaskEvent) [7]int64 {
	var fails int64
	if e.FailsTask {
		fails = 1
	}
	return [7]int64{fails, int64(e.ExitCode), int64(e.Signal), int64(e.KillTimeout), e.StartDelay, e.DiskLimit, e.DiskSize}
}

func (w *Writer) event(e *api.TaskEvent) {
	w.Int(e.Time)
	text := texts(e)
	var set uint64
	for i, s := range text {
		if *s != "" {
			set |= 1 << i
		}
	}
	w.Uint(set)
	for _, s := range text {
		if *s != "" {
			w.Ref(*s)
		}
	}
	number := numbers(e)
	set = 0
	for i, n := range number {
		if n != 0 {
			set |= 1 << i
		}
	}
	w.Uint(set)
	for _, n := range number {
		if n != 0 {
			w.Int(n)
		}
	}
	w.Strings(e.Details)
}

func (r *Reader) event(e *api.TaskEvent) {
	e.Time = r.Int()
	set := r.Uint()
	for i, s := range texts(e) {
		if set&(1<<i) != 0 {
			*s = r.Ref()
		}
	}
	set = r.Uint()
	var number [7]int64
	for i := range number {
		if set&(1<<i) != 0 {
			number[i] = r.Int()
		}
	}
	e.FailsTask, e.ExitCode, e.Signal = number[0] != 0, int(number[1]), int(number[2])
	e.KillTimeout, e.StartDelay = api.Duration(number[3]), number[4]
	e.DiskLimit, e.DiskSize = number[5], number[6]
	e.Details = r.Strings()
}

// Ports writes the ports of an allocation.
func (w *Writer) Ports(ports []api.PortMapping) {
	w.Uint(uint64(len(ports)))
	for i := range ports {
		m := &ports[i]
		w.Ref(m.Label)
		w.Int(int64(m.Value))
		w.Int(int64(m.To))
		w.Ref(m.HostIP)
		w.Bool(m.IgnoreCollision)
	}
}

// Ports reads the ports of an allocation, nil when there are none.
func (r *Reader) Ports() []api.PortMapping {
	n := r.Len()
	if n == 0 {
		return nil
	}
	ports := make([]api.PortMapping, n)
	for i := range ports {
		ports[i] = api.PortMapping{Label: r.Ref(), Value: int(r.Int()), To: int(r.Int()), HostIP: r.Ref(), IgnoreCollision: r.Bool()}
	}
	return ports
}
