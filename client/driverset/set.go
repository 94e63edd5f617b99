package driverset

import (
	"log/slog"
	"time"

	"github.com/seraihq/serai/drivers"
)

// Store keeps the reattach data of host processes over a restart of the agent. The data is small and opaque.
type Store interface {
	// SaveDriver keeps data under a driver's name, replacing what was there; empty data deletes it.
	SaveDriver(name string, data []byte) error
	// LoadDriver returns what was kept last, or nothing.
	LoadDriver(name string) ([]byte, error)
}

// Config is what New needs.
type Config struct {
	Logger *slog.Logger
	// Dir is a directory of the agent's own (<data_dir>/drivers) for sockets and the log files of host processes. It is made with mode 0700.
	Dir string
	// PluginDir is searched for external drivers; empty means none.
	PluginDir string
	// Plugins is the operator's configuration by plugin name: the config { } body of each plugin "<name>" block.
	Plugins map[string]map[string]any
	// Args are further arguments for external plugins, by plugin name.
	Args map[string][]string
	// Store keeps reattach data; nil means that hosts are not found again.
	Store Store
	// Executable is the binary that runs built-in drivers as <Executable> driver-host <name>; empty means the running one.
	Executable string
	// InProcess runs built-in drivers inside the agent: for tests and tools only, tasks do not outlive the process.
	InProcess bool
	// IdleStop is how long a host without tasks is kept; 0 means 2 minutes.
	IdleStop time.Duration
	// Allow and Deny are lists of driver names (client options driver.allowlist and driver.denylist); an empty Allow means all.
	Allow, Deny []string
}

// Status is what is known about one driver.
type Status struct {
	Name        string
	Fingerprint drivers.Fingerprint
	UpdatedAt   time.Time
}

// Set is the node's drivers.
type Set struct {
	cfg Config
}
