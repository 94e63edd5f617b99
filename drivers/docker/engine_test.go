package docker

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/seraihq/serai/drivers/docker/enginetest"
	"github.com/seraihq/serai/drivers/internal/contain"
)

// theEngine is started by the first test that needs it.
var theEngine struct {
	once sync.Once
	*enginetest.Engine
	err error
}

func TestMain(m *testing.M) {
	contain.Init(os.Args) // as the first process of a container it does not return
	code := m.Run()
	if theEngine.Engine != nil {
		if err := theEngine.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "engine:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// engineFor is the engine of this package's tests.
func engineFor(t *testing.T) *enginetest.Engine {
	t.Helper()
	if why := enginetest.Missing(); why != "" {
		t.Skip("not here: " + why)
	}
	theEngine.once.Do(func() { theEngine.Engine, theEngine.err = enginetest.Start("--live-restore") })
	if theEngine.err != nil {
		t.Fatal(theEngine.err)
	}
	return theEngine.Engine
}

// driverFor is a driver that uses the engine, with a configuration.
func driverFor(t *testing.T, e *enginetest.Engine, config map[string]any) *Driver {
	t.Helper()
	d := New(slog.New(slog.DiscardHandler))
	full := map[string]any{"endpoint": "unix://" + e.Socket, "gc": map[string]any{"image": false}}
	for k, v := range config {
		full[k] = v
	}
	if err := d.Configure(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEngine(t *testing.T) { engineFor(t) }
