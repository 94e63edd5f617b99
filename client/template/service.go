package template

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/template/render"
)

// Denied are the functions that templates may not use where the operator says
// nothing else.
var Denied = []string{"plugin", "executeTemplate", "writeToFile"}

// Settings is what an operator says of templates.
type Settings struct {
	Denied     []string // patterns of functions; nil: Denied
	Unconfined bool     // templates may read any file of the host
	// Wait is for templates without a wait block; Bounds for those that have one.
	Wait, Bounds *api.WaitConfig
}

// Service is what all templates of a node have in common.
type Service struct {
	Settings
	pool  *render.Pool
	every time.Duration // how often files are looked at
}

// NewService makes a service. Close it when no Manager uses it any more.
func NewService(s Settings) *Service {
	if s.Denied == nil {
		s.Denied = Denied
	}
	return &Service{Settings: s, pool: render.NewPool(s.Denied), every: lookEvery}
}

// Close ends the processes that rendered.
func (s *Service) Close() { s.pool.Close() }

// waits gives for how long the files of a template must have been quiet before
// it is rendered again, and for how long it may be put off at most.
func (s *Service) waits(t *api.Template) (quiet, most time.Duration) {
	w := s.Wait
	if t.Wait != nil {
		w = t.Wait
	}
	if w == nil {
		return 0, 0
	}
	quiet, most = w.Min.Std(), w.Max.Std()
	if b := s.Bounds; b != nil && t.Wait != nil {
		quiet, most = clamp(quiet, b), clamp(most, b)
	}
	if most == 0 {
		most = 4 * quiet
	}
	return quiet, max(quiet, most)
}

func clamp(d time.Duration, b *api.WaitConfig) time.Duration {
	d = max(d, b.Min.Std())
	if b.Max > 0 {
		d = min(d, b.Max.Std())
	}
	return d
}
