package scheduler_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// steps counts the random steps that the model checks of this process have made.
var steps atomic.Int64

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("SERAI_MODELS") != "" {
		fmt.Printf("%d random steps were checked\n", steps.Load())
	}
	os.Exit(code)
}

// step makes one random step of a model.
func step(t *rapid.T, of ...func()) {
	steps.Add(1)
	rapid.SampledFrom(of).Draw(t, "step")()
}
