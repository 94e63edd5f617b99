package artifact

import (
	"fmt"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/seraihq/serai/client/artifact/confine"
)

// Config is what the operator says of artifacts. A zero limit is no limit.
type Config struct {
	HTTPTime  time.Duration // http, https and local files
	GitTime   time.Duration
	S3Time    time.Duration
	StallTime time.Duration // without a single byte; 2 min
	HTTPBytes int64         // what a download may be
	Unpack    int64         // bytes that an archive may unpack to
	Files     int           // files that an archive may have

	// NoIsolation leaves a child the host's file system; it has a user of its own still.
	NoIsolation bool
	// NoInspection keeps links that lead out of an artifact.
	NoInspection bool
	ExtraPaths   []confine.Path
	Environment  []string // names of the agent's own variables that children get

	Parallel int // children at once on this node; 8
	Logger   *slog.Logger
}

const (
	defaultStall    = 2 * time.Minute
	defaultParallel = 8
)

// ParsePath reads a path that children may use beside what every program needs:
// KIND:RIGHTS:PATH, with d or f for a directory or a file, and of r, w, c and x
// those that it is opened for, as in "d:rx:/opt/git".
func ParsePath(text string) (confine.Path, error) {
	parts := strings.SplitN(text, ":", 3)
	bad := fmt.Errorf("%q is no path with its rights: write it like \"d:rx:/opt/git\" or \"f:r:/etc/machine-id\"", text)
	if len(parts) != 3 || parts[0] != "d" && parts[0] != "f" || !path.IsAbs(parts[2]) || path.Clean(parts[2]) == "/" {
		return confine.Path{}, bad
	}
	p := confine.Path{Path: path.Clean(parts[2]), Dir: parts[0] == "d"}
	for _, right := range parts[1] {
		switch right {
		case 'r':
			p.Read = true
		case 'w', 'c':
			p.Write = true
		case 'x':
			p.Exec = true
		default:
			return confine.Path{}, bad
		}
	}
	return p, nil
}
