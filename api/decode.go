package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// UnmarshalJSON decodes a job over its defaults: what is absent or null gets
// the default of its type of job or the value of the enclosing block. Region and
// Namespace stay empty when absent, because whoever receives the job knows
// better; Canonicalize fills them. Keys match in any case, unknown ones are
// ignored. The error is of type Problems and lists everything that has the
// wrong type.
func (j *Job) UnmarshalJSON(b []byte) error {
	if jsonParts(b) > maxJSONParts {
		return Problems{{Text: fmt.Sprintf("the job has more than %d values", maxJSONParts)}}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return err
	}
	if tree == nil {
		return nil
	}
	obj, ok := tree.(map[string]any)
	if !ok {
		return Problems{{Text: "a job must be a JSON object, not " + describe(tree)}}
	}
	job, problems := decodeJob(obj, false)
	if err := problems.Err(); err != nil {
		return err
	}
	*j = *job
	return nil
}

// maxJSONParts bounds the values in the JSON of a job: a decoded value takes many
// times the memory of its text.
const maxJSONParts = 300_000

// jsonParts counts the signs that part values, a few in texts included.
func jsonParts(b []byte) int {
	n := 0
	for _, c := range b {
		if c == ',' || c == '[' || c == '{' {
			n++
		}
	}
	return n
}

// JobFromTree decodes a job in the shape of its JSON form: map[string]any,
// []any, string, bool, json.Number and nil. It is UnmarshalJSON for a job that
// was read from another syntax: numbers, booleans and texts convert into each
// other as they do in HCL. The job is what could be decoded, for further checks.
func JobFromTree(tree map[string]any) (*Job, Problems) { return decodeJob(tree, true) }

func decodeJob(obj map[string]any, lenient bool) (*Job, Problems) {
	d := &treeDecoder{lenient: lenient}
	j := &Job{Type: JobTypeService, Priority: DefaultJobPriority}
	at := spot{}
	if t := lookupText(obj, "Type"); t != "" {
		j.Type = t
	}
	j.Update = DefaultUpdate(j.Type)
	if lookup(obj, "Reschedule") != nil {
		j.Reschedule = rescheduleBase(j.Type)
	}
	d.fields(reflect.ValueOf(j).Elem(), obj, at, "TaskGroups")
	j.fillNames()
	groups, ok := lookup(obj, "TaskGroups").([]any)
	if node := lookup(obj, "TaskGroups"); node != nil && !ok {
		d.addf(at.field("TaskGroups", "group"), "must be a list, not %s", describe(node))
	}
	if groups != nil {
		j.TaskGroups = make([]*TaskGroup, 0, len(groups))
	}
	for i, node := range groups {
		g := at.field("TaskGroups", "group").index(i)
		if group, ok := d.object(node, g); ok {
			j.TaskGroups = append(j.TaskGroups, d.group(j, group, g.in("group", lookupText(group, "Name"))))
		}
	}
	j.fill()
	return j, d.problems
}

// rescheduleBase gives what a reschedule block of a job is decoded over.
func rescheduleBase(jobType string) *ReschedulePolicy {
	if r := DefaultReschedule(jobType); r != nil {
		return r
	}
	return &ReschedulePolicy{}
}

// newGroup makes a group that inherits from its job.
func newGroup(j *Job) *TaskGroup {
	g := &TaskGroup{
		Count:            1,
		RestartPolicy:    DefaultRestart(j.Type),
		ReschedulePolicy: DefaultReschedule(j.Type),
		EphemeralDisk:    DefaultEphemeralDisk(),
		Migrate:          DefaultMigrate(j.Type),
	}
	if j.Reschedule != nil {
		g.ReschedulePolicy = copyOf(j.Reschedule)
	}
	if j.Update != nil {
		g.Update = copyOf(j.Update)
	}
	if j.Migrate != nil {
		g.Migrate = copyOf(j.Migrate)
	}
	return g
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

func (d *treeDecoder) group(j *Job, obj map[string]any, at spot) *TaskGroup {
	g := newGroup(j)
	if g.ReschedulePolicy == nil && lookup(obj, "ReschedulePolicy") != nil {
		g.ReschedulePolicy = &ReschedulePolicy{}
	}
	if scaling, ok := lookup(obj, "Scaling").(map[string]any); ok {
		if n, ok := lookup(scaling, "Min").(json.Number); ok {
			if least, ok := wholeNumber(n.String()); ok && least >= 0 && least < 1<<31 {
				g.Count = int(least)
			}
		}
	}
	d.fields(reflect.ValueOf(g).Elem(), obj, at, "Tasks")
	tasks, ok := lookup(obj, "Tasks").([]any)
	if node := lookup(obj, "Tasks"); node != nil && !ok {
		d.addf(at.field("Tasks", "task"), "must be a list, not %s", describe(node))
	}
	if tasks != nil {
		g.Tasks = make([]*Task, 0, len(tasks))
	}
	for i, node := range tasks {
		t := at.field("Tasks", "task").index(i)
		if task, ok := d.object(node, t); ok {
			g.Tasks = append(g.Tasks, d.task(g, task, t.in("task", lookupText(task, "Name"))))
		}
	}
	return g
}

// newTask makes a task that inherits from its group.
func newTask(g *TaskGroup) *Task {
	return &Task{
		KillTimeout:   DefaultKillTimeout,
		Resources:     DefaultResources(),
		RestartPolicy: copyOf(g.RestartPolicy),
		LogConfig:     DefaultLogConfig(),
	}
}

func (d *treeDecoder) task(g *TaskGroup, obj map[string]any, at spot) *Task {
	t := newTask(g)
	d.fields(reflect.ValueOf(t).Elem(), obj, at)
	return t
}

// service decodes a service; its checks inherit from it.
func (d *treeDecoder) service(s *Service, obj map[string]any, at spot) {
	d.fields(reflect.ValueOf(s).Elem(), obj, at, "Checks")
	nodes, ok := lookup(obj, "Checks").([]any)
	if !ok {
		if node := lookup(obj, "Checks"); node != nil {
			d.addf(at.field("Checks", "check"), "must be a list, not %s", describe(node))
		}
		return
	}
	s.Checks = make([]*ServiceCheck, 0, len(nodes))
	for i, node := range nodes {
		p := at.field("Checks", "check").index(i)
		if check, ok := d.object(node, p); ok {
			c := &ServiceCheck{OnUpdate: s.OnUpdate, CheckRestart: copyOf(s.CheckRestart)}
			d.fields(reflect.ValueOf(c).Elem(), check, p)
			s.Checks = append(s.Checks, c)
		}
	}
}

// resources decodes resources: whole cores take the place of the default CPU.
func (d *treeDecoder) resources(r *Resources, obj map[string]any, at spot) {
	if cores := lookup(obj, "Cores"); cores != nil && cores != json.Number("0") {
		r.CPU = 0
	}
	d.fields(reflect.ValueOf(r).Elem(), obj, at)
}

// logConfig decodes logs: `enabled` of old job files decides where `disabled` is absent.
func (d *treeDecoder) logConfig(l *LogConfig, obj map[string]any, at spot) {
	d.fields(reflect.ValueOf(l).Elem(), obj, at)
	if lookup(obj, "Disabled") == nil && lookup(obj, "Enabled") != nil {
		l.Disabled = !l.Enabled
	}
	l.Enabled = !l.Disabled
}

// template decodes a template: its signal has a default where it is sent.
func (d *treeDecoder) template(t *Template, obj map[string]any, at spot) {
	d.fields(reflect.ValueOf(t).Elem(), obj, at)
	if t.ChangeMode == "signal" && t.ChangeSignal == "" {
		t.ChangeSignal = "SIGHUP"
	}
	t.ChangeSignal = strings.ToUpper(t.ChangeSignal)
}
