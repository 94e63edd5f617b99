package fsm

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// The compact form of a PlanApply. A placement of a known group takes about 40
// bytes, and 10 for each port: identifiers are 16 bytes, what comes again is a
// reference, and what few need costs one bit (the flags).

// Flags of a plan.
const (
	planAllAtOnce = 1 << iota
	planDeployment
	planOversubscribe
	planDeploymentID
	planEnded
)

// Flags of a stop.
const (
	stopEvict = 1 << iota
	stopKeep
	stopFollowup
	stopPreempted
)

// Flags of a placement.
const (
	placeDeployment = 1 << iota
	placeCanary
	placePrevious
	placePorts
	placeTasks
	placeReschedule
	placePreempted
)

func bit(set bool, f uint64) uint64 {
	if set {
		return f
	}
	return 0
}

func (c *PlanApply) encode(w *wire.Writer) error {
	w.Int(c.Time)
	w.Uint(uint64(len(c.Plans)))
	for i := range c.Plans {
		if err := c.Plans[i].encode(w); err != nil {
			return err
		}
	}
	return nil
}

func (c *PlanApply) decode(r *wire.Reader) {
	c.Time = r.Int()
	c.Plans = makeList[Plan](r.Len())
	for i := range c.Plans {
		c.Plans[i].decode(r)
	}
}

// makeList gives nil for an empty list, as the encoder saw it.
func makeList[T any](n int) []T {
	if n == 0 {
		return nil
	}
	return make([]T, n)
}

func (p *Plan) encode(w *wire.Writer) error {
	w.Ref(p.EvalID)
	w.Ref(p.Namespace)
	w.Ref(p.JobID)
	w.Uint(p.JobModifyIndex)
	w.Uint(bit(p.AllAtOnce, planAllAtOnce) | bit(p.Deployment != nil, planDeployment) |
		bit(p.Oversubscribe, planOversubscribe) | bit(p.DeploymentID != "", planDeploymentID) | bit(len(p.Ended) > 0, planEnded))
	w.Uint(uint64(len(p.Stops)))
	for i := range p.Stops {
		p.Stops[i].encode(w)
	}
	w.Uint(uint64(len(p.Updates)))
	for i := range p.Updates {
		p.Updates[i].encode(w)
	}
	w.Uint(uint64(len(p.Placements)))
	for i := range p.Placements {
		if err := p.Placements[i].encode(w); err != nil {
			return err
		}
	}
	if err := encodeObjects(w, p.Metrics); err != nil {
		return err
	}
	if err := encodeObjects(w, p.Evals); err != nil {
		return err
	}
	if p.Deployment != nil {
		if err := w.Object(p.Deployment); err != nil {
			return err
		}
	}
	if p.DeploymentID != "" {
		w.Ref(p.DeploymentID)
	}
	if len(p.Ended) > 0 {
		return w.Object(p.Ended)
	}
	return nil
}

func (p *Plan) decode(r *wire.Reader) {
	p.EvalID, p.Namespace, p.JobID = r.Ref(), r.Ref(), r.Ref()
	p.JobModifyIndex = r.Uint()
	flags := r.Uint()
	p.AllAtOnce, p.Oversubscribe = flags&planAllAtOnce != 0, flags&planOversubscribe != 0
	p.Stops = makeList[Stop](r.Len())
	for i := range p.Stops {
		p.Stops[i].decode(r)
	}
	p.Updates = makeList[InPlace](r.Len())
	for i := range p.Updates {
		p.Updates[i].decode(r)
	}
	p.Placements = makeList[Placement](r.Len())
	for i := range p.Placements {
		p.Placements[i].decode(r)
	}
	p.Metrics = decodeObjects[api.AllocationMetric](r)
	p.Evals = decodeObjects[api.Evaluation](r)
	if flags&planDeployment != 0 {
		p.Deployment = new(api.Deployment)
		r.Object(p.Deployment)
	}
	if flags&planDeploymentID != 0 {
		p.DeploymentID = r.Ref()
	}
	if flags&planEnded != 0 {
		r.Object(&p.Ended)
	}
}

func encodeObjects[T any](w *wire.Writer, list []*T) error {
	w.Uint(uint64(len(list)))
	for _, x := range list {
		if x == nil {
			x = new(T)
		}
		if err := w.Object(x); err != nil {
			return err
		}
	}
	return nil
}

func decodeObjects[T any](r *wire.Reader) []*T {
	list := makeList[*T](r.Len())
	for i := range list {
		list[i] = new(T)
		r.Object(list[i])
	}
	return list
}

func (s *Stop) encode(w *wire.Writer) {
	w.ID(s.AllocID)
	w.Uint(bit(s.Evict, stopEvict) | bit(s.Keep, stopKeep) | bit(s.FollowupEval != "", stopFollowup) | bit(s.PreemptedBy != "", stopPreempted))
	w.Ref(s.Description)
	w.Ref(s.ClientStatus)
	if s.FollowupEval != "" {
		w.Ref(s.FollowupEval)
	}
	if s.PreemptedBy != "" {
		w.ID(s.PreemptedBy)
	}
}

func (s *Stop) decode(r *wire.Reader) {
	s.AllocID = r.ID()
	flags := r.Uint()
	s.Evict, s.Keep = flags&stopEvict != 0, flags&stopKeep != 0
	s.Description, s.ClientStatus = r.Ref(), r.Ref()
	if flags&stopFollowup != 0 {
		s.FollowupEval = r.Ref()
	}
	if flags&stopPreempted != 0 {
		s.PreemptedBy = r.ID()
	}
}

func (u *InPlace) encode(w *wire.Writer) {
	w.ID(u.AllocID)
	w.Uint(u.Version)
	w.Uint(uint64(max(u.Metric, 0)))
	w.Bool(u.Deployment)
}

func (u *InPlace) decode(r *wire.Reader) {
	u.AllocID, u.Version, u.Metric, u.Deployment = r.ID(), r.Uint(), int(r.Uint()), r.Bool()
}

func (p *Placement) encode(w *wire.Writer) error {
	w.ID(p.ID)
	w.Uint(bit(p.Deployment, placeDeployment) | bit(p.Canary, placeCanary) | bit(p.Previous != "", placePrevious) |
		bit(len(p.Ports) > 0, placePorts) | bit(len(p.Tasks) > 0, placeTasks) |
		bit(p.Reschedule != nil, placeReschedule) | bit(len(p.Preempted) > 0, placePreempted))
	w.Uint(p.Version)
	w.Ref(p.Group)
	w.Uint(uint64(max(p.Index, 0)))
	w.Ref(p.NodeID)
	w.Uint(uint64(max(p.Metric, 0)))
	if p.Previous != "" {
		w.ID(p.Previous)
	}
	if len(p.Ports) > 0 {
		w.Ports(p.Ports)
	}
	if len(p.Tasks) > 0 {
		if err := w.Object(p.Tasks); err != nil {
			return err
		}
	}
	if p.Reschedule != nil {
		if err := w.Object(p.Reschedule); err != nil {
			return err
		}
	}
	if len(p.Preempted) > 0 {
		w.Uint(uint64(len(p.Preempted)))
		for _, id := range p.Preempted {
			w.ID(id)
		}
	}
	return nil
}

func (p *Placement) decode(r *wire.Reader) {
	p.ID = r.ID()
	flags := r.Uint()
	p.Deployment, p.Canary = flags&placeDeployment != 0, flags&placeCanary != 0
	p.Version, p.Group, p.Index = r.Uint(), r.Ref(), int(r.Uint())
	p.NodeID, p.Metric = r.Ref(), int(r.Uint())
	if flags&placePrevious != 0 {
		p.Previous = r.ID()
	}
	if flags&placePorts != 0 {
		p.Ports = r.Ports()
	}
	if flags&placeTasks != 0 {
		r.Object(&p.Tasks)
	}
	if flags&placeReschedule != 0 {
		p.Reschedule = new(api.RescheduleTracker)
		r.Object(p.Reschedule)
	}
	if flags&placePreempted != 0 {
		p.Preempted = makeList[string](r.Len())
		for i := range p.Preempted {
			p.Preempted[i] = r.ID()
		}
	}
}
