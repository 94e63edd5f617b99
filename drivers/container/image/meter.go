package image

import (
	"io"
	"sync"
	"sync/atomic"
)

// meter counts how far a pull has come. Those who share the pull share it.
type meter struct {
	total, bytes  atomic.Int64
	layers, ready atomic.Int64

	mu    sync.Mutex // guards parts
	parts []*meter
}

// part counts what another meter counts as well.
func (m *meter) part(p *meter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts = append(m.parts, p)
}

// progress is what has been counted so far.
func (m *meter) progress() Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := Progress{
		Phase: PhaseResolve, Layers: int(m.layers.Load()), Ready: int(m.ready.Load()),
		Bytes: m.bytes.Load(), Total: m.total.Load(),
	}
	for _, part := range m.parts {
		p.Bytes += part.bytes.Load()
		p.Total += part.total.Load()
	}
	if p.Layers > 0 {
		p.Phase = PhasePull
	}
	return p
}

// count passes on what it reads, and counts it.
func (m *meter) count(r io.Reader) io.Reader { return &meteredReader{r, m} }

type meteredReader struct {
	io.Reader
	m *meter
}

func (r *meteredReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.m.bytes.Add(int64(n))
	return n, err
}
