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
	hosts      []distinctHosts
	properties []distinctProperty
	ruled      fleet.Bits // rows that hosts may rule out
}

// distinctHosts counts the allocations by row: of the job, or of the group alone.
type distinctHosts struct {
	group string // empty: of the whole job
	rows  []int32
}

// distinctProperty counts the allocations by the value of a property.
type distinctProperty struct {
	group  string
	name   string
	column *fleet.Column
	limit  int32
	counts []int32
}

// DistinctFor gives the demands of a group; nil when there are none.
func DistinctFor(f *fleet.Fleet, job *api.Job, g *api.TaskGroup) *Distinct {
	d := &Distinct{ruled: fleet.NewBits(f.Rows())}
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
			d.hosts = append(d.hosts, distinctHosts{group, make([]int32, f.Rows())})
		case api.ConstraintDistinctProperty:
			limit, err := strconv.ParseInt(strings.TrimSpace(c.RTarget), 10, 32)
			if err != nil || limit < 1 {
				limit = 1
			}
			column := Column(f, c.LTarget)
			d.properties = append(d.properties, distinctProperty{group, c.LTarget, column, int32(limit), make([]int32, column.Len())})
		}
	}
}

// Add tells of allocations of a group on a row; a negative number takes back.
func (d *Distinct) Add(group string, row int32, by int) {
	for _, h := range d.hosts {
		if h.group == "" || h.group == group {
			h.rows[row] += int32(by)
			if by > 0 {
				d.ruled.Set(row, true)
			}
		}
	}
	for _, p := range d.properties {
		if id := p.column.ID(row); id != fleet.Missing && (p.group == "" || p.group == group) {
			p.counts[id] += int32(by)
		}
	}
}

// Ruled gives the rows of a word of a set that Allows may not allow; of others
// it is known that they are.
func (d *Distinct) Ruled(word int) uint64 {
	if len(d.properties) > 0 {
		return ^uint64(0)
	}
	return d.ruled[word]
}

// Block is what rules a row out: a demand and, for a property, its value.
type Block struct{ demand, value int32 }

// Allows says whether one more allocation may be placed on a row, and if not,
// what rules it out.
func (d *Distinct) Allows(row int32) (Block, bool) {
	for i := range d.hosts {
		if d.hosts[i].rows[row] > 0 {
			return Block{demand: int32(i)}, false
		}
	}
	for i := range d.properties {
		p := &d.properties[i]
		if id := p.column.ID(row); id == fleet.Missing || p.counts[id] >= p.limit {
			return Block{int32(len(d.hosts) + i), id}, false
		}
	}
	return Block{}, true
}

// Reason gives the reason to show for a block.
func (d *Distinct) Reason(b Block) string {
	i := int(b.demand) - len(d.hosts)
	if i < 0 {
		return api.ConstraintDistinctHosts
	}
	p := &d.properties[i]
	if b.value == fleet.Missing {
		return `missing property "` + p.name + `"`
	}
	return "distinct_property: " + p.name + "=" + p.column.Value(b.value) + " used by " + strconv.Itoa(int(p.counts[b.value])) + " allocs"
}
