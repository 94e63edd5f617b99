package network

import (
	"testing"

	"github.com/google/uuid"
)

// BenchmarkUp measures what an allocation waits for its network, with one port,
// beside 100 others.
func BenchmarkUp(b *testing.B) {
	n := newNode(b)
	for i := range 100 {
		n.up(b, portAt("192.0.2.10", 10000+i, 80))
	}
	b.ResetTimer()
	for b.Loop() {
		id := uuid.NewString()
		if _, err := n.Up(b.Context(), Request{AllocID: id, Mode: ModeBridge, Ports: []Port{portAt("192.0.2.10", 9999, 80)}}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := n.Down(b.Context(), id); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkReconcile measures a round of comparing with 100 pods.
func BenchmarkReconcile(b *testing.B) {
	n := newNode(b)
	for i := range 100 {
		n.up(b, portAt("192.0.2.10", 10000+i, 80))
	}
	for b.Loop() {
		n.Reconcile(b.Context())
	}
}
