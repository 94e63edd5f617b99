package scheduler_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// spec is the key=value words of a script line. A key that ends in "+" may
// occur again; its values are joined by newlines.
type spec map[string]string

// split cuts a line into words; double quotes keep blanks together.
func split(line string) []string {
	var words []string
	var word strings.Builder
	quoted, some := false, false
	for _, c := range line {
		switch {
		case c == '"':
			quoted, some = !quoted, true
		case c == ' ' && !quoted:
			if some {
				words = append(words, word.String())
			}
			word.Reset()
			some = false
		default:
			word.WriteRune(c)
			some = true
		}
	}
	if some {
		words = append(words, word.String())
	}
	return words
}

func parseSpec(words []string) spec {
	s := spec{}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		if before, ok := s[k]; ok {
			v = before + "\n" + v
		}
		s[k] = v
	}
	return s
}

func merge(old, new spec) spec {
	out := spec{}
	maps.Copy(out, old)
	maps.Copy(out, new)
	return out
}

func (s spec) number(key string, otherwise int) int {
	if n, err := strconv.Atoi(s[key]); err == nil {
		return n
	}
	return otherwise
}

// with gives the keys that start with a prefix, without it.
func (s spec) with(prefix string) map[string]string {
	out := map[string]string{}
	for k, v := range s {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			out[rest] = v
		}
	}
	return out
}

// makeNode reads cpu, memory, disk, dc, pool, class, status, eligibility, drain,
// max_allocs, reserved_cpu, reserved_ports, dynamic=MIN-MAX, network=MODE,
// attr.X, meta.X, driver.X=healthy|sick|undetected, hostnet.X=CIDR.
func makeNode(id string, s spec) *api.Node {
	n := node(id)
	r := n.NodeResources
	r.Cpu.CpuShares = int64(s.number("cpu", 4000))
	r.Memory.MemoryMB = int64(s.number("memory", 8000))
	r.Disk.DiskMB = int64(s.number("disk", 100000))
	n.NodeMaxAllocs = s.number("max_allocs", 0)
	n.ReservedResources = &api.NodeReservedResources{}
	n.ReservedResources.Cpu.CpuShares = uint64(s.number("reserved_cpu", 0))
	n.ReservedResources.Networks.ReservedHostPorts = s["reserved_ports"]
	if low, high, ok := strings.Cut(s["dynamic"], "-"); ok {
		r.MinDynamicPort, _ = strconv.Atoi(low)
		r.MaxDynamicPort, _ = strconv.Atoi(high)
	}
	switch mode := s["network"]; mode {
	case "":
	case "absent":
		r.Networks = nil
	default:
		r.Networks = append(r.Networks, &api.NetworkResource{Mode: mode})
	}
	for to, key := range map[*string]string{
		&n.Datacenter: "dc", &n.NodePool: "pool", &n.NodeClass: "class", &n.Status: "status", &n.SchedulingEligibility: "eligibility",
	} {
		if v := s[key]; v != "" {
			*to = v
		}
	}
	if s["drain"] == "true" {
		n.DrainStrategy = &api.DrainStrategy{}
	}
	maps.Copy(n.Attributes, s.with("attr."))
	maps.Copy(n.Meta, s.with("meta."))
	for name, v := range s.with("driver.") {
		n.Drivers[name] = &api.DriverInfo{Detected: v != "undetected", Healthy: v == "healthy"}
	}
	for name, cidr := range s.with("hostnet.") {
		if n.HostNetworks == nil {
			n.HostNetworks = map[string]*api.HostNetworkInfo{}
		}
		n.HostNetworks[name] = &api.HostNetworkInfo{Name: name, CIDR: cidr}
	}
	n.ComputedClass = "class-" + n.NodeClass
	return n
}

// makeJob reads type, priority, dc, pool, stop and constraint for the job, and
// groups=a:2,b:1 (or count) with cpu, memory, memory_max, disk, driver, env,
// mode, kill_timeout, group_constraint, task_constraint, meta.X and
// port.LABEL=NUMBER|any[@NETWORK][→TO] for every group.
func makeJob(id string, s spec) *api.Job {
	j := job(id, s.number("count", 1))
	if v := s["type"]; v != "" {
		j.Type = v
	}
	if v := s["dc"]; v != "" {
		j.Datacenters = strings.Split(v, ",")
	}
	if v := s["pool"]; v != "" {
		j.NodePool = v
	}
	j.Priority, j.Stop, j.Meta = s.number("priority", 50), s["stop"] == "true", s.with("meta.")
	j.Constraints = parseConstraints(s["constraint"])
	if v := s["groups"]; v != "" {
		j.TaskGroups = nil
		for g := range strings.SplitSeq(v, ",") {
			name, count, _ := strings.Cut(g, ":")
			n, _ := strconv.Atoi(count)
			j.TaskGroups = append(j.TaskGroups, group(name, n))
		}
	}
	for _, g := range j.TaskGroups {
		fillGroup(g, s)
	}
	return j
}

func fillGroup(g *api.TaskGroup, s spec) {
	g.EphemeralDisk.SizeMB = s.number("disk", 300)
	g.Constraints = parseConstraints(s["group_constraint"])
	t := g.Tasks[0]
	t.Constraints = parseConstraints(s["task_constraint"])
	t.Resources = &api.Resources{CPU: s.number("cpu", 500), MemoryMB: s.number("memory", 256), MemoryMaxMB: s.number("memory_max", 0)}
	t.KillTimeout = api.Duration(s.number("kill_timeout", 5))
	if v := s["driver"]; v != "" {
		t.Driver = v
	}
	if v := s["env"]; v != "" {
		t.Env = map[string]string{"X": v}
	}
	ports := s.with("port.")
	if len(ports) == 0 && s["mode"] == "" {
		return
	}
	w := &api.NetworkResource{Mode: s["mode"]}
	for _, label := range slices.Sorted(maps.Keys(ports)) {
		v, to, _ := strings.Cut(ports[label], "→")
		v, network, _ := strings.Cut(v, "@")
		p := api.Port{Label: label, HostNetwork: network}
		p.To, _ = strconv.Atoi(to)
		p.Value, _ = strconv.Atoi(v)
		if p.Value > 0 {
			w.ReservedPorts = append(w.ReservedPorts, p)
		} else {
			w.DynamicPorts = append(w.DynamicPorts, p)
		}
	}
	g.Networks = []*api.NetworkResource{w}
}

// parseConstraints reads lines of "TARGET OPERATOR VALUE"; "-" stands for no
// target.
func parseConstraints(text string) []*api.Constraint {
	var out []*api.Constraint
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.SplitN(line, " ", 3)
		if len(words) < 2 {
			continue
		}
		c := &api.Constraint{LTarget: strings.TrimPrefix(words[0], "-"), Operand: words[1]}
		if len(words) == 3 {
			c.RTarget = words[2]
		}
		out = append(out, c)
	}
	return out
}
