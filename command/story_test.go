package command

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// indexed is an answer with an index of its own.
type indexed struct {
	value any
	index uint64
}

// story is what becomes of a few objects while a command watches them. A step
// changes one of them, as soon as each is waited for by a blocking query.
type story struct {
	mu      sync.Mutex
	watched int             // how many objects are watched
	tell    func() []func() // the beginning: gives the steps, each returns by calling changed
	steps   []func()
	index   map[string]uint64 // object → when it last changed
	waiting map[string]bool
	now     uint64
	stepped chan struct{}
}

// changed notes that a step has changed an object.
func (s *story) changed(object string) {
	s.now++
	s.index[object] = s.now
}

func (s *story) begin() {
	s.index, s.waiting, s.now, s.stepped = map[string]uint64{}, map[string]bool{}, 10, make(chan struct{})
	s.steps = s.tell()
}

// answer answers a read of an object; the read of the first one without an
// index begins the story anew.
func (s *story) answer(r *http.Request, object string, first bool, value func() any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, _ := strconv.ParseUint(r.FormValue("index"), 10, 64)
	if asked == 0 && first || s.index == nil {
		s.begin()
	}
	for asked > 0 && max(s.index[object], 10) <= asked {
		s.waiting[object] = true
		if len(s.waiting) == s.watched && len(s.steps) > 0 {
			step := s.steps[0]
			s.steps = s.steps[1:]
			step()
			clear(s.waiting)
			close(s.stepped)
			s.stepped = make(chan struct{})
			continue
		}
		stepped := s.stepped
		s.mu.Unlock()
		select {
		case <-stepped:
		case <-r.Context().Done():
		}
		s.mu.Lock()
		if r.Context().Err() != nil {
			return nil
		}
	}
	return indexed{value(), max(s.index[object], 10)}
}

// registered gives the ID of the job that a request submits, and leaves its body
// to be read again.
func registered(r *http.Request) string {
	data, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(data))
	var req struct{ Job struct{ ID string } }
	_ = json.Unmarshal(data, &req)
	return req.Job.ID
}
