package fsm

import (
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// The compact form of an AllocUpdate: of a task event only the fields that are
// set are written, and what comes again is a reference.

// Flags of an update.
const (
	updateTasks = 1 << iota
	updateDeployment
	updateNetwork
)

func (c *AllocUpdate) encode(w *wire.Writer) error {
	w.Int(c.Time)
	w.Uint(uint64(len(c.Updates)))
	for i := range c.Updates {
		if err := c.Updates[i].encode(w); err != nil {
			return err
		}
	}
	return encodeObjects(w, c.Evals)
}

func (c *AllocUpdate) decode(r *wire.Reader) {
	c.Time = r.Int()
	c.Updates = makeList[ClientUpdate](r.Len())
	for i := range c.Updates {
		c.Updates[i].decode(r)
	}
	c.Evals = decodeObjects[api.Evaluation](r)
}

func (u *ClientUpdate) encode(w *wire.Writer) error {
	w.ID(u.ID)
	w.Uint(flag(u.TaskStates != nil, updateTasks) | flag(u.DeploymentStatus != nil, updateDeployment) | flag(u.NetworkStatus != nil, updateNetwork))
	w.Ref(u.ClientStatus)
	w.Ref(u.ClientDescription)
	if u.TaskStates != nil {
		encodeTasks(w, u.TaskStates)
	}
	if u.DeploymentStatus != nil {
		if err := w.Object(u.DeploymentStatus); err != nil {
			return err
		}
	}
	if u.NetworkStatus != nil {
		return w.Object(u.NetworkStatus)
	}
	return nil
}

func (u *ClientUpdate) decode(r *wire.Reader) {
	u.ID = r.ID()
	flags := r.Uint()
	u.ClientStatus, u.ClientDescription = r.Ref(), r.Ref()
	if flags&updateTasks != 0 {
		u.TaskStates = decodeTasks(r)
	}
	if flags&updateDeployment != 0 {
		u.DeploymentStatus = new(api.AllocDeploymentStatus)
		r.Object(u.DeploymentStatus)
	}
	if flags&updateNetwork != 0 {
		u.NetworkStatus = new(api.AllocNetworkStatus)
		r.Object(u.NetworkStatus)
	}
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func encodeTasks(w *wire.Writer, tasks map[string]*api.TaskState) {
	w.Uint(uint64(len(tasks)))
	for _, name := range sortedNames(tasks) {
		t := tasks[name]
		if t == nil {
			t = &api.TaskState{}
		}
		w.Ref(name)
		w.Ref(t.State)
		w.Bool(t.Failed)
		w.Uint(t.Restarts)
		encodeTime(w, t.LastRestart)
		encodeTime(w, t.StartedAt)
		encodeTime(w, t.FinishedAt)
		w.Uint(uint64(len(t.Events)))
		for _, e := range t.Events {
			if e == nil {
				e = &api.TaskEvent{}
			}
			encodeEvent(w, e)
		}
	}
}

func decodeTasks(r *wire.Reader) map[string]*api.TaskState {
	n := r.Len()
	tasks := make(map[string]*api.TaskState, n)
	for range n {
		name := r.Ref()
		t := &api.TaskState{State: r.Ref(), Failed: r.Bool(), Restarts: r.Uint()}
		t.LastRestart, t.StartedAt, t.FinishedAt = decodeTime(r), decodeTime(r), decodeTime(r)
		t.Events = makeList[*api.TaskEvent](r.Len())
		for i := range t.Events {
			t.Events[i] = new(api.TaskEvent)
			decodeEvent(r, t.Events[i])
		}
		if r.Err() != nil {
			return nil
		}
		tasks[name] = t
	}
	return tasks
}

// encodeTime writes an instant: whether there is one, seconds and nanoseconds.
func encodeTime(w *wire.Writer, t time.Time) {
	if t.IsZero() {
		w.Byte(0)
		return
	}
	w.Byte(1)
	w.Int(t.Unix())
	w.Uint(uint64(t.Nanosecond()))
}

func decodeTime(r *wire.Reader) time.Time {
	if !r.Bool() {
		return time.Time{}
	}
	sec, nsec := r.Int(), r.Uint()
	if nsec >= uint64(time.Second) {
		nsec = 0
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

// eventTexts and eventNumbers list the fields of an event in the order of
// their bits. The order is for ever; new fields go to the end.
func eventTexts(e *api.TaskEvent) []*string {
	return []*string{
		&e.Type, &e.DisplayMessage, &e.Message, &e.RestartReason, &e.SetupError, &e.DriverError,
		&e.DriverMessage, &e.KillReason, &e.KillError, &e.DownloadError, &e.ValidationError,
		&e.FailedSibling, &e.VaultError, &e.TaskSignalReason, &e.TaskSignal, &e.GenericSource,
	}
}

func encodeEvent(w *wire.Writer, e *api.TaskEvent) {
	w.Int(e.Time)
	texts := eventTexts(e)
	var set uint64
	for i, s := range texts {
		set |= flag(*s != "", 1<<i)
	}
	w.Uint(set)
	for _, s := range texts {
		if *s != "" {
			w.Ref(*s)
		}
	}
	numbers := [...]int64{
		int64(flag(e.FailsTask, 1)), int64(e.ExitCode), int64(e.Signal), int64(e.KillTimeout),
		e.StartDelay, e.DiskLimit, e.DiskSize,
	}
	set = 0
	for i, n := range numbers {
		set |= flag(n != 0, 1<<i)
	}
	w.Uint(set)
	for _, n := range numbers {
		if n != 0 {
			w.Int(n)
		}
	}
	w.Uint(uint64(len(e.Details)))
	for _, k := range sortedNames(e.Details) {
		w.Ref(k)
		w.Ref(e.Details[k])
	}
}

func decodeEvent(r *wire.Reader, e *api.TaskEvent) {
	e.Time = r.Int()
	set := r.Uint()
	for i, s := range eventTexts(e) {
		if set&(1<<i) != 0 {
			*s = r.Ref()
		}
	}
	set = r.Uint()
	var numbers [7]int64
	for i := range numbers {
		if set&(1<<i) != 0 {
			numbers[i] = r.Int()
		}
	}
	e.FailsTask, e.ExitCode, e.Signal = numbers[0] != 0, int(numbers[1]), int(numbers[2])
	e.KillTimeout, e.StartDelay = api.Duration(numbers[3]), numbers[4]
	e.DiskLimit, e.DiskSize = numbers[5], numbers[6]
	n := r.Len()
	if n > 0 {
		e.Details = make(map[string]string, n)
	}
	for range n {
		k := r.Ref()
		e.Details[k] = r.Ref()
	}
}
