package api

import (
	"fmt"
	"path"
	"reflect"
	"strings"
)

// Canonicalize completes a job that was built in Go code: absent blocks, empty
// texts and empty lists get their defaults. Numbers and booleans stay as they
// are, because zero may be meant: start from the Default functions
// to have them. A decoded job changes only in Region and Namespace.
func (j *Job) Canonicalize() {
	if j.Region == "" {
		j.Region = DefaultRegion
	}
	if j.Namespace == "" {
		j.Namespace = DefaultNamespace
	}
	j.fill()
}

func (j *Job) fillNames() {
	if j.Name == "" {
		j.Name = j.ID
	}
}

// fill gives empty fields their defaults, for a job of any origin.
func (j *Job) fill() {
	if j.ID == "" {
		j.ID = j.Name
	}
	j.fillNames()
	if j.Type == "" {
		j.Type = JobTypeService
	}
	if j.NodePool == "" {
		j.NodePool = NodePoolDefault
	}
	if len(j.Datacenters) == 0 {
		j.Datacenters = []string{"*"}
	}
	if j.Update == nil {
		j.Update = DefaultUpdate(j.Type)
	}
	for _, g := range j.TaskGroups {
		if g != nil {
			j.fillGroup(g)
		}
	}
	fillBlocks(reflect.ValueOf(j).Elem())
}

func (j *Job) fillGroup(g *TaskGroup) {
	fillEmpty(reflect.ValueOf(g).Elem(), reflect.ValueOf(newGroup(j)).Elem())
	if g.Scaling != nil && g.Scaling.Min == nil {
		count := int64(g.Count)
		g.Scaling.Min = &count
	}
	for name, v := range g.Volumes {
		if v != nil && v.Name == "" {
			v.Name = name
		}
	}
	fillDisconnect(g)
	fillServices(g.Services, j.Name+"-"+g.Name)
	for _, t := range g.Tasks {
		if t != nil {
			fillEmpty(reflect.ValueOf(t).Elem(), reflect.ValueOf(newTask(g)).Elem())
			fillServices(t.Services, j.Name+"-"+g.Name+"-"+t.Name)
			fillTask(t)
		}
	}
}

// fillDisconnect reads what old job files say of disconnected clients as the
// block that replaced it.
func fillDisconnect(g *TaskGroup) {
	if g.Disconnect != nil || g.MaxClientDisconnect == 0 && g.StopAfterClientDisconnect == 0 && !g.PreventRescheduleOnLost {
		return
	}
	d := disconnectDefaults()
	d.LostAfter, d.StopOnClientAfter, d.Replace = g.MaxClientDisconnect, g.StopAfterClientDisconnect, !g.PreventRescheduleOnLost
	g.Disconnect = d
}

func fillTask(t *Task) {
	t.LogConfig.Enabled = !t.LogConfig.Disabled
	if t.Identity != nil && t.Identity.Name == "" {
		t.Identity.Name = DefaultIdentity
	}
	for _, a := range t.Artifacts {
		if a != nil && a.GetterMode == "file" && a.RelativeDest == "local/" && a.GetterSource != "" {
			source, _, _ := strings.Cut(a.GetterSource, "?")
			a.RelativeDest = path.Join("local", path.Base(source))
		}
	}
}

func fillServices(services []*Service, name string) {
	for _, s := range services {
		if s == nil {
			continue
		}
		if s.Name == "" {
			s.Name = name
		}
		for _, c := range s.Checks {
			if c == nil {
				continue
			}
			if c.Name == "" {
				c.Name = fmt.Sprintf("service: %q check", s.Name)
			}
			if c.OnUpdate == "" {
				c.OnUpdate = s.OnUpdate
			}
			if c.CheckRestart == nil {
				c.CheckRestart = copyOf(s.CheckRestart)
			}
		}
	}
}

// fillEmpty sets the nil pointers, empty texts and nil lists of a struct to those of another.
func fillEmpty(v, from reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.String:
			if f.IsZero() && f.CanSet() {
				f.Set(from.Field(i))
			}
		}
	}
}

// fillBlocks applies the defaults of blocks to every block beneath v.
func fillBlocks(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fillBlocks(v.Elem())
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Pointer || k == reflect.Struct {
			for i := range v.Len() {
				fillBlocks(v.Index(i))
			}
		}
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Pointer {
			for _, k := range v.MapKeys() {
				fillBlocks(v.MapIndex(k))
			}
		}
	case reflect.Struct:
		if f, ok := blockDefaults[v.Type()]; ok && v.CanSet() {
			fillEmpty(v, reflect.ValueOf(f()).Elem())
		}
		for i := range v.NumField() {
			fillBlocks(v.Field(i))
		}
	}
}
