package steps

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
)

// elsewhere is a node that has the data of an allocation, and gives them after
// some attempts that end in other ways.
type elsewhere struct {
	t        *testing.T
	attempts []error // nil: the connection breaks in the middle
	asked    int
}

func (e *elsewhere) fetch(ctx context.Context, _ string) (io.ReadCloser, error) {
	from := e.t.TempDir()
	if err := errors.Join(os.MkdirAll(from+"/alloc/data", 0o755), os.WriteFile(from+"/alloc/data/kept", bytes.Repeat([]byte("x"), 100<<10), 0o644)); err != nil {
		return nil, err
	}
	root, err := files.Open(from)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var archive bytes.Buffer
	err = DiskArchive(ctx, root, &api.TaskGroup{}, &archive)
	if e.asked++; e.asked <= len(e.attempts) {
		if failed := e.attempts[e.asked-1]; failed != nil {
			return nil, failed
		}
		archive.Truncate(archive.Len() / 2)
	}
	return io.NopCloser(&archive), err
}

// Data of another node are not given up for one attempt that fails.
func TestDiskIsFetchedAgain(t *testing.T) {
	away := errors.New("connection refused")
	for name, c := range map[string]struct {
		attempts []error
		asked    int
		has      bool
	}{
		"node starts anew":       {[]error{away, away}, 3, true},
		"broken off":             {[]error{nil, nil}, 3, true},
		"lags behind":            {[]error{api.Errorf(api.ErrDenied, "no successor")}, 2, true},
		"does not come back":     {[]error{away, away, away, away, away, away, away}, 6, false},
		"is known nowhere":       {[]error{api.Errorf(api.ErrNotFound, "unknown allocation")}, 1, false},
		"larger than the disk":   {[]error{api.Errorf(api.ErrTooLarge, "too large")}, 1, false},
		"at once, and only once": {nil, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := input(t, &api.Task{Name: "web"})
				in.Alloc.Job.TaskGroups[0].EphemeralDisk = &api.EphemeralDisk{SizeMB: 10, Migrate: true}
				in.Alloc.PreviousAllocation = "other"
				var told string
				in.Note = func(text string) { told += text + "\n" }
				if _, err := (AllocDir{}).Up(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				from := &elsewhere{t: t, attempts: c.attempts}
				d := &Disk{Dir: filepath.Dir(in.Dir), Fetch: from.fetch}
				if _, err := d.Up(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				st, err := os.Stat(in.Dir + "/alloc/data/kept")
				if has := err == nil && st.Size() == 100<<10; has != c.has || from.asked != c.asked {
					t.Errorf("there: %v, asked %d times; told: %s", has, from.asked, told)
				}
				if strings.Contains(told, "the disk begins empty") == c.has {
					t.Errorf("told: %s", told)
				}
				if _, err := os.Lstat(in.Dir + "/" + incoming); err == nil {
					t.Error("what was gathered aside is left")
				}
			})
		})
	}
}
