package feasible

import (
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// Distinct is what a group demands about where the job's other allocations
// are. Add tells it of them.
type Distinct struct {
	hosts      []*hosts
	properties []*distinctProperty
}

// hosts counts the allocations by row: of the job, or of the group alone.
type hosts struct {
	group string // empty: of the whole job
	rows  map[int32]int
}

type distinctProperty struct {
	group  string
	name   string
	column *fleet.Column
	limit  int
	counts map[int32]int // by value
}

// DistinctFor gives the demands of a group; nil when there are none.
func DistinctFor(f *fleet.Fleet, job *api.Job, g *api.TaskGroup) *Distinct {
	d := &Distinct{}
	ofJob, ofGroup := constraints(job, g)
	d.read(f, ofJob, "")
	d.read(f, ofGroup, g.Name)
	if len(d.hosts) == 0 && len(d.properties) == 0 {
		return nil
	}
	return d
}

func (d *Distinct) read(f *fleet.Fleet, all []*api.Constraint, group string) {
	for _, c := range all {
		switch c.Operand {
		case api.ConstraintDistinctHosts:
			if on, err := strconv.ParseBool(c.RTarget); err == nil && !on {
				continue // distinct_hosts = false
			}
			d.hosts = append(d.hosts, &hosts{group: group, rows: map[int32]int{}})
		case api.ConstraintDistinctProperty:
			limit, err := strconv.Atoi(strings.TrimSpace(c.RTarget))
			if err != nil || limit < 1 {
				limit = 1
			}
			t := parseTarget(c.LTarget)
			d.properties = append(d.properties, &distinctProperty{
				group: group, name: c.LTarget, limit: limit, counts: map[int32]int{},
				column: f.Column("t\x00"+c.LTarget, t.value),
			})
		}
	}
}

// Add tells of allocations of a group on a row; a negative number takes back.
func (d *Distinct) Add(group string, row int32, by int) {
	for _, h := range d.hosts {
		if h.group == "" || h.group == group {
			h.rows[row] += by
		}
	}
	for _, p := range d.properties {
		if id := p.column.ID(row); id != fleet.Missing && (p.group == "" || p.group == group) {
			p.counts[id] += by
		}
	}
}

// Allows says whether one more allocation may be placed on a row, and if not,
// the reason to show.
func (d *Distinct) Allows(row int32) (reason string, ok bool) {
	for _, h := range d.hosts {
		if h.rows[row] > 0 {
			return api.ConstraintDistinctHosts, false
		}
	}
	for _, p := range d.properties {
		id := p.column.ID(row)
		if id == fleet.Missing {
			return `missing property "` + p.name + `"`, false
		}
		if n := p.counts[id]; n >= p.limit {
			return "distinct_property: " + p.name + "=" + p.column.Value(id) + " used by " + strconv.Itoa(n) + " allocs", false
		}
	}
	return "", true
}
