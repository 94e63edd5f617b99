package api

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	minCheckTime = Duration(time.Second)
	maxNotes     = 255
)

// services checks the services of a group and of its tasks together.
func (v *validator) services(at spot, g *TaskGroup, ports *portSet) {
	c := &serviceChecker{v: v, group: g, ports: ports, seen: map[string]bool{}}
	for i, s := range g.Services {
		c.service(at.field("Services", "service").index(i), s, "")
	}
	for i, t := range g.Tasks {
		p := at.field("Tasks", "").index(i).in("task", t.Name)
		for k, s := range t.Services {
			c.service(p.field("Services", "service").index(k), s, t.Name)
		}
	}
}

type serviceChecker struct {
	v        *validator
	group    *TaskGroup
	ports    *portSet
	provider string // of the first service; all of a group have the same
	seen     map[string]bool
}

func (c *serviceChecker) service(at spot, s *Service, task string) {
	v := c.v
	if !serviceName.MatchString(s.Name) && !interpolated(s.Name) {
		v.addf(at.field("Name", "name"), "%q must be 1 to 63 letters, digits and dashes, neither first nor last a dash: set name", clip(s.Name))
	}
	if v.oneOf(at.field("Provider", "provider"), s.Provider, "nomad", "consul") {
		if c.provider == "" {
			c.provider = s.Provider
		} else if c.provider != s.Provider {
			v.addf(at.field("Provider", "provider"), "must be the same for all services of a group: one has %q, this one %q", c.provider, s.Provider)
		}
	}
	v.oneOf(at.field("AddressMode", "address_mode"), s.AddressMode, "auto", "host", "driver", "alloc", "alloc_ipv6")
	if s.AddressMode == "driver" && task == "" {
		v.addf(at.field("AddressMode", "address_mode"), "\"driver\" works only in the services of a task")
	}
	v.oneOf(at.field("OnUpdate", "on_update"), s.OnUpdate, "require_healthy", "ignore_warnings", "ignore")
	if s.Connect != nil && s.Provider == "nomad" {
		v.addf(at.field("Connect", "connect"), "works only with provider consul")
	}
	if s.TaskName != "" && c.group.LookupTask(s.TaskName) == nil {
		v.addf(at.field("TaskName", "task"), "%q is not a task of the group", clip(s.TaskName))
	}
	if key := s.Name + "\x00" + task + "\x00" + s.PortLabel; c.seen[key] {
		v.addf(at, "%q with port %q appears twice", clip(s.Name), clip(s.PortLabel))
	} else {
		c.seen[key] = true
	}
	c.port(at.field("PortLabel", "port"), s.PortLabel, s.AddressMode)
	c.restart(at.field("CheckRestart", "check_restart"), s.CheckRestart)
	for i, check := range s.Checks {
		c.check(at.field("Checks", "check").index(i), s, check, task)
	}
}

// port checks that a port is a label of the group or a number.
func (c *serviceChecker) port(at spot, label, mode string) {
	if label == "" || interpolated(label) || c.ports.labels[label] || mode == "driver" || mode == "alloc" || mode == "alloc_ipv6" {
		return
	}
	n, err := strconv.Atoi(label)
	if err != nil {
		c.v.addf(at, "%q is not a port of the group: declare it with network { port %q {} }", clip(label), clip(label))
	} else if n < 1 || n > maxPort {
		c.v.addf(at, "must be from 1 to %d, not %d", maxPort, n)
	}
}

func (c *serviceChecker) restart(at spot, r *CheckRestart) {
	if r == nil {
		return
	}
	notNegative(c.v, at.field("Limit", "limit"), r.Limit)
	notNegative(c.v, at.field("Grace", "grace"), r.Grace)
}

func (c *serviceChecker) check(at spot, s *Service, k *ServiceCheck, task string) {
	v := c.v
	types := []string{"http", "tcp"}
	if s.Provider == "consul" {
		types = append(types, "grpc", "script")
	}
	v.oneOf(at.field("Type", "type"), k.Type, types...)
	if k.Interval < minCheckTime {
		v.addf(at.field("Interval", "interval"), "must be at least %s, not %s", minCheckTime, k.Interval)
	}
	if k.Timeout < minCheckTime {
		v.addf(at.field("Timeout", "timeout"), "must be at least %s, not %s", minCheckTime, k.Timeout)
	}
	switch k.Type {
	case "http":
		if k.Path == "" {
			v.addf(at.field("Path", "path"), "must be set for an http check, for example \"/health\"")
		} else if strings.Contains(k.Path, "://") {
			v.addf(at.field("Path", "path"), "must be a path such as \"/health\", without protocol and host")
		}
		if k.Protocol != "" {
			v.oneOf(at.field("Protocol", "protocol"), k.Protocol, "http", "https")
		}
	case "script":
		if k.Command == "" {
			v.addf(at.field("Command", "command"), "must be set for a script check")
		}
		if task == "" && k.TaskName == "" && s.TaskName == "" {
			v.addf(at.field("TaskName", "task"), "must be set for a script check of a group's service: it names the task to run in")
		}
	}
	if k.TaskName != "" && c.group.LookupTask(k.TaskName) == nil {
		v.addf(at.field("TaskName", "task"), "%q is not a task of the group", clip(k.TaskName))
	}
	if k.OnUpdate != "" {
		v.oneOf(at.field("OnUpdate", "on_update"), k.OnUpdate, "require_healthy", "ignore_warnings", "ignore")
	}
	if utf8.RuneCountInString(k.Notes) > maxNotes {
		v.addf(at.field("Notes", "notes"), "must have at most %d characters", maxNotes)
	}
	c.port(at.field("PortLabel", "port"), k.PortLabel, k.AddressMode)
	c.restart(at.field("CheckRestart", "check_restart"), k.CheckRestart)
}
