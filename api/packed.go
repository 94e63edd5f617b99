package api

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// PackedTaskStates are the states of an allocation's tasks in few bytes. The
// form is that of one process: it is neither stored nor sent.
type PackedTaskStates string

// States gives the states of the allocation's tasks, packed or not. They must
// not be changed.
func (a *Allocation) States() map[string]*TaskState {
	if a.TaskStates != nil || a.Packed == "" {
		return a.TaskStates
	}
	return a.Packed.Unpack()
}

// Pack exchanges the states of the allocation's tasks for their packed form.
func (a *Allocation) Pack() {
	if a.TaskStates != nil {
		a.Packed, a.TaskStates = PackTaskStates(a.TaskStates), nil
	}
}

// MarshalJSON writes the states of tasks also when they are packed.
func (a *Allocation) MarshalJSON() ([]byte, error) {
	type plain Allocation
	if a.TaskStates != nil || a.Packed == "" {
		return json.Marshal((*plain)(a))
	}
	open := plain(*a)
	open.TaskStates = a.States()
	return json.Marshal(&open)
}

// frequent are texts that nearly every task has; they take one byte or two.
var frequent = []string{
	"", TaskStatePending, TaskStateRunning, TaskStateDead,
	TaskReceived, TaskSetup, TaskStarted, TaskTerminated, TaskKilling, TaskKilled, TaskRestarting, TaskNotRestarting, TaskDriverMessage,
	TaskSetupFailure, TaskDriverFailure, TaskRestartSignal, TaskSignaling, TaskHookMessage, TaskHookFailed, TaskAllocUnhealthy, TaskBuildingTaskDir,
	"Task received by client", "Task started by client", "Task successfully killed", "Sent interrupt. Waiting 5s before force killing",
	"exit_code", "signal", "message", "0", "1", "true", "false", "fails_task", "kill_timeout",
}

var frequentCodes = func() map[string]uint64 {
	codes := map[string]uint64{}
	for i, s := range frequent {
		codes[s] = uint64(i) + 1
	}
	return codes
}()

// Parts of a task's state.
const (
	packedFailed = 1 << iota
	packedLastRestart
	packedStartedAt
	packedFinishedAt
	packedSuspended
)

// eventTexts lists the text fields of an event but Type, and eventNumbers those
// that are numbers.
func eventTexts(e *TaskEvent) [15]*string {
	return [...]*string{
		&e.DisplayMessage, &e.Message, &e.RestartReason, &e.SetupError, &e.DriverError, &e.DriverMessage, &e.KillReason, &e.KillError,
		&e.DownloadError, &e.ValidationError, &e.FailedSibling, &e.VaultError, &e.TaskSignalReason, &e.TaskSignal, &e.GenericSource,
	}
}

func eventNumbers(e *TaskEvent) [7]int64 {
	var fails int64
	if e.FailsTask {
		fails = 1
	}
	return [...]int64{fails, int64(e.ExitCode), int64(e.Signal), int64(e.KillTimeout), e.StartDelay, e.DiskLimit, e.DiskSize}
}

// PackTaskStates packs states. Equal states give equal bytes.
func PackTaskStates(tasks map[string]*TaskState) PackedTaskStates {
	p := packer(make([]byte, 0, 128))
	p.number(uint64(len(tasks)))
	for _, name := range slices.Sorted(maps.Keys(tasks)) {
		t := tasks[name]
		if t == nil {
			t = &TaskState{}
		}
		p.text(name)
		p.text(t.State)
		p.number(bitIf(t.Failed, packedFailed) | bitIf(!t.LastRestart.IsZero(), packedLastRestart) |
			bitIf(!t.StartedAt.IsZero(), packedStartedAt) | bitIf(!t.FinishedAt.IsZero(), packedFinishedAt) | bitIf(t.Suspended, packedSuspended))
		p.number(t.Restarts)
		for _, at := range [...]time.Time{t.LastRestart, t.StartedAt, t.FinishedAt} {
			if !at.IsZero() {
				p.signed(at.Unix())
				p.number(uint64(at.Nanosecond()))
			}
		}
		p.number(uint64(len(t.Events)))
		var last int64
		for _, e := range t.Events {
			if e == nil {
				e = &TaskEvent{}
			}
			p.signed(e.Time - last)
			last = e.Time
			p.event(e)
		}
	}
	return PackedTaskStates(p)
}

func bitIf(set bool, bit uint64) uint64 {
	if set {
		return bit
	}
	return 0
}

type packer []byte

func (p *packer) number(n uint64) { *p = binary.AppendUvarint(*p, n) }
func (p *packer) signed(n int64)  { *p = binary.AppendVarint(*p, n) }

func (p *packer) text(s string) {
	if code, ok := frequentCodes[s]; ok {
		p.number(code)
		return
	}
	p.number(0)
	p.number(uint64(len(s)))
	*p = append(*p, s...)
}

func (p *packer) event(e *TaskEvent) {
	texts, numbers := eventTexts(e), eventNumbers(e)
	set := bitIf(len(e.Details) > 0, 1)
	for i, s := range texts {
		set |= bitIf(*s != "", 2<<i)
	}
	for i, n := range numbers {
		set |= bitIf(n != 0, 2<<(i+len(texts)))
	}
	p.text(e.Type)
	p.number(set)
	for _, s := range texts {
		if *s != "" {
			p.text(*s)
		}
	}
	for _, n := range numbers {
		if n != 0 {
			p.signed(n)
		}
	}
	if len(e.Details) > 0 {
		p.number(uint64(len(e.Details)))
		for _, k := range slices.Sorted(maps.Keys(e.Details)) {
			p.text(k)
			p.text(e.Details[k])
		}
	}
}

// Unpack gives the states.
func (s PackedTaskStates) Unpack() map[string]*TaskState {
	u := unpacker{b: []byte(s)}
	tasks := map[string]*TaskState{}
	for range u.length() {
		name := u.text()
		t := &TaskState{State: u.text()}
		set := u.number()
		t.Failed, t.Suspended, t.Restarts = set&packedFailed != 0, set&packedSuspended != 0, u.number()
		t.LastRestart = u.time(set & packedLastRestart)
		t.StartedAt = u.time(set & packedStartedAt)
		t.FinishedAt = u.time(set & packedFinishedAt)
		var last int64
		for range u.length() {
			last += u.signed()
			e := &TaskEvent{Time: last}
			u.event(e)
			t.Events = append(t.Events, e)
		}
		tasks[name] = t
	}
	return tasks
}

// unpacker reads what a packer wrote; past the end it reads zeros.
type unpacker struct{ b []byte }

func (u *unpacker) number() uint64 {
	v, n := binary.Uvarint(u.b)
	u.skip(n)
	return v
}

func (u *unpacker) signed() int64 {
	v, n := binary.Varint(u.b)
	u.skip(n)
	return v
}

func (u *unpacker) skip(n int) {
	if n <= 0 {
		n = len(u.b)
	}
	u.b = u.b[n:]
}

// length reads the length of a list, which is never more than what is left.
func (u *unpacker) length() int { return int(min(u.number(), uint64(len(u.b)))) }

func (u *unpacker) text() string {
	code := u.number()
	if code > 0 && code <= uint64(len(frequent)) {
		return frequent[code-1]
	}
	n := u.length()
	s := string(u.b[:n])
	u.b = u.b[n:]
	return s
}

func (u *unpacker) time(set uint64) time.Time {
	if set == 0 {
		return time.Time{}
	}
	sec := u.signed()
	return time.Unix(sec, int64(u.number())).UTC()
}

func (u *unpacker) event(e *TaskEvent) {
	e.Type = u.text()
	set := u.number()
	texts := eventTexts(e)
	for i, s := range texts {
		if set&(2<<i) != 0 {
			*s = u.text()
		}
	}
	var n [7]int64
	for i := range n {
		if set&(2<<(i+len(texts))) != 0 {
			n[i] = u.signed()
		}
	}
	e.FailsTask, e.ExitCode, e.Signal, e.KillTimeout = n[0] != 0, int(n[1]), int(n[2]), Duration(n[3])
	e.StartDelay, e.DiskLimit, e.DiskSize = n[4], n[5], n[6]
	if set&1 != 0 {
		e.Details = map[string]string{}
		for range u.length() {
			k := u.text()
			e.Details[k] = u.text()
		}
	}
}
