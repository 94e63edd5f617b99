package fsm

import (
	"fmt"
	"testing"

	"github.com/seraihq/serai/api"
)

// BenchmarkBatch registers new jobs among 10,000, in batches as the log commits
// them.
func BenchmarkBatch(b *testing.B) {
	for _, size := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			const there = 10_000
			r := newReplica()
			next := func() []byte {
				r.index++
				n := int(r.index) * 7919 % 1_000_003
				j := job(fmt.Sprint("job-", n), 50)
				data, err := Encode(&JobRegister{Job: j, Eval: eval(n, j, api.EvalPending)})
				if err != nil {
					b.Fatal(err)
				}
				return data
			}
			for range there {
				if _, err := r.Apply(r.index, next()); err != nil {
					b.Fatal(err)
				}
			}
			entries := make([]Entry, b.N)
			for i := range entries {
				data := next()
				entries[i] = Entry{r.index, data}
			}
			b.ReportAllocs()
			for b.ResetTimer(); len(entries) > 0; {
				n := min(size, len(entries))
				r.ApplyBatch(entries[:n])
				entries = entries[n:]
			}
		})
	}
}
