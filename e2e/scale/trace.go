package main

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
)

// A core of the trace, and what a node of it has: 48 of them and 336 GiB.
const (
	mhzPerCore   = 1000
	replayCPU    = 48 * mhzPerCore
	replayMemory = 336 << 10
)

// batch is a request of a tenant: a job, with a group for each size of VM.
type batch struct {
	id     string
	groups []vmGroup
	done   <-chan struct{} // closed when the batch's last event so far is over
}

// vmGroup is the VMs of one size.
type vmGroup struct {
	cpu, memory int // MHz, MiB
	count       int // that are to be alive
}

// event is the arrival of a batch or the departure of some of its VMs.
type event struct {
	at    int64 // seconds of the trace
	phase int   // at the same time: departures, arrivals, departures of what came just now
	batch *batch
	vms   int
	leave []int // by group; nil at the arrival
}

// readTrace reads VMs, one on each line: start_s, batch, vcpu, mem_gib,
// duration_lo_s, duration_hi_s, censored; gzipped. Those that are censored
// outlive the trace. A VM leaves at the lower bound of its duration.
func readTrace(path string) ([]*event, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the trace %s is not there: -replay takes the file events.csv.gz of the Azure churn trace", path)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t := tracer{batches: map[string]*batch{}, arrivals: map[*batch]*event{}, departures: map[departure]*event{}}
	lines := csv.NewReader(plain)
	lines.FieldsPerRecord, lines.ReuseRecord = 7, true
	if _, err := lines.Read(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for {
		f, err := lines.Read()
		if err == io.EOF {
			return t.sorted(), nil
		}
		if err == nil {
			err = t.add(f)
		}
		if err != nil {
			n, _ := lines.FieldPos(0)
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
	}
}

type tracer struct {
	batches    map[string]*batch
	arrivals   map[*batch]*event
	departures map[departure]*event
	events     []*event
}

type departure struct {
	batch *batch
	at    int64
}

func (t *tracer) add(f []string) error {
	var n [7]float64
	for i := range f {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil || v < 0 {
			return fmt.Errorf("field %d is not a number: %q", i+1, f[i])
		}
		n[i] = v
	}
	start, lasts, cpu, memory := int64(n[0]), int64(n[4]), int(n[2]*mhzPerCore), int(n[3]*1024)
	b := t.batches[f[1]]
	if b == nil {
		b = &batch{id: "batch-" + f[1]}
		t.batches[b.id[len("batch-"):]] = b
		t.arrivals[b] = t.event(&event{at: start, phase: 1, batch: b})
	}
	t.arrivals[b].vms++
	g := slices.IndexFunc(b.groups, func(g vmGroup) bool { return g.cpu == cpu && g.memory == memory })
	if g < 0 {
		g = len(b.groups)
		b.groups = append(b.groups, vmGroup{cpu: cpu, memory: memory})
	}
	b.groups[g].count++
	if n[6] != 0 {
		return nil
	}
	key := departure{b, start + lasts}
	e := t.departures[key]
	if e == nil {
		e = t.event(&event{at: key.at, batch: b})
		t.departures[key] = e
	}
	if lasts == 0 {
		e.phase = 2
	}
	e.vms++
	for len(e.leave) <= g {
		e.leave = append(e.leave, 0)
	}
	e.leave[g]++
	return nil
}

func (t *tracer) event(e *event) *event {
	t.events = append(t.events, e)
	return e
}

func (t *tracer) sorted() []*event {
	slices.SortStableFunc(t.events, func(a, b *event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.phase, b.phase))
	})
	return t.events
}

// cut keeps the events up to a number of VMs, all for 0, and gives how many VMs
// they bring or take and how many are alive at once at the most.
func cut(events []*event, most int) (kept []*event, vms, peak int) {
	alive := 0
	for i, e := range events {
		if most > 0 && vms >= most {
			return events[:i], vms, peak
		}
		vms += e.vms
		if e.leave == nil {
			alive += e.vms
		} else {
			alive -= e.vms
		}
		peak = max(peak, alive)
	}
	return events, vms, peak
}
