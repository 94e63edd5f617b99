package scheduler_test

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

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
	addDevices(n, s)
	n.ComputedClass = "class-" + n.NodeClass
	return n
}

// makeJob reads type, priority, dc, pool, stop, constraint, affinity and spread
// for the job, and
// groups=a:2,b:1 (or count) with cpu, memory, memory_max, disk, driver, env,
// mode, kill_timeout, sticky, group_constraint, group_affinity, group_spread,
// task_constraint, meta.X and
// port.LABEL=NUMBER|any[@NETWORK][→TO] for every group. all_at_once is the job's,
// gang the groups'; update, reschedule and disconnect are lists of NAME:VALUE.
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
	j.AllAtOnce = s["all_at_once"] == "true"
	j.Affinities, j.Spreads = parseAffinities(s["affinity"]), parseSpreads(s["spread"])
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
	g.EphemeralDisk.Sticky = s["sticky"] == "true"
	g.AllAtOnce = s["gang"] == "true"
	fillPolicies(g, s)
	g.Constraints = parseConstraints(s["group_constraint"])
	g.Affinities, g.Spreads = parseAffinities(s["group_affinity"]), parseSpreads(s["group_spread"])
	t := g.Tasks[0]
	t.Constraints = parseConstraints(s["task_constraint"])
	t.Resources = &api.Resources{CPU: s.number("cpu", 500), MemoryMB: s.number("memory", 256), MemoryMaxMB: s.number("memory_max", 0)}
	askDevices(g, s)
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

// parseAffinities reads lines of "WEIGHT TARGET OPERATOR VALUE".
func parseAffinities(text string) []*api.Affinity {
	var out []*api.Affinity
	for line := range strings.SplitSeq(text, "\n") {
		weight, rest, _ := strings.Cut(line, " ")
		for _, c := range parseConstraints(rest) {
			n, _ := strconv.Atoi(weight)
			out = append(out, &api.Affinity{LTarget: c.LTarget, Operand: c.Operand, RTarget: c.RTarget, Weight: int8(n)})
		}
	}
	return out
}

// parseSpreads reads lines of "WEIGHT TARGET" with "VALUE:PERCENT" after them.
func parseSpreads(text string) []*api.Spread {
	var out []*api.Spread
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		n, _ := strconv.Atoi(words[0])
		b := &api.Spread{Attribute: words[1], Weight: int8(n)}
		for _, w := range words[2:] {
			value, percent, _ := strings.Cut(w, ":")
			p, _ := strconv.Atoi(percent)
			b.SpreadTarget = append(b.SpreadTarget, &api.SpreadTarget{Value: value, Percent: uint8(p)})
		}
		out = append(out, b)
	}
	return out
}

// fillPolicies reads the blocks that say how allocations are replaced.
func fillPolicies(g *api.TaskGroup, s spec) {
	if s["update"] != "" {
		v := settings(s["update"])
		g.Update = &api.UpdateStrategy{
			MaxParallel: v.number("max_parallel", 1), Canary: v.number("canary", 0), ProgressDeadline: v.duration("progress_deadline", "10m"),
			Stagger:     v.duration("stagger", "0s"),
			AutoPromote: v["auto_promote"] == "true", AutoRevert: v["auto_revert"] == "true",
		}
	}
	if s["reschedule"] != "" {
		v := settings(s["reschedule"])
		g.ReschedulePolicy = &api.ReschedulePolicy{
			Attempts: v.number("attempts", 0), Interval: v.duration("interval", "0s"), Delay: v.duration("delay", "30s"),
			MaxDelay: v.duration("max_delay", "1h"), DelayFunction: cmp.Or(v["function"], "constant"), Unlimited: v["unlimited"] == "true",
		}
	}
	if s["disconnect"] != "" {
		v := settings(s["disconnect"])
		g.Disconnect = &api.DisconnectStrategy{
			LostAfter: v.duration("lost_after", "0s"), StopOnClientAfter: v.duration("stop_on_client_after", "0s"),
			Replace: v["replace"] != "false", Reconcile: cmp.Or(v["reconcile"], "best_score"),
		}
	}
}

// settings reads "NAME:VALUE,NAME:VALUE".
func settings(text string) spec {
	out := spec{}
	for item := range strings.SplitSeq(text, ",") {
		k, v, _ := strings.Cut(item, ":")
		out[k] = v
	}
	return out
}

func (s spec) duration(key, otherwise string) api.Duration {
	d, err := time.ParseDuration(cmp.Or(s[key], otherwise))
	if err != nil {
		panic(err)
	}
	return api.Duration(d)
}
