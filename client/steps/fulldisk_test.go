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

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
)

// TestFullDisk: on a disk without space or inodes each step says so, and what
// was half written is not left.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	task := &api.Task{Name: "web", DispatchPayload: &api.DispatchPayloadConfig{File: "data"}}
	in := input(t, task)
	in.Alloc.Job.Payload = []byte(strings.Repeat("x", 128<<10))
	disk := filepath.Dir(in.Dir)
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k,nr_inodes=14,mode=0755"); err != nil {
		t.Skip("no tmpfs can be mounted here:", err)
	}
	t.Cleanup(func() {
		// Before the directory is removed: secrets are mounted on it.
		_ = unmountBeneath(disk)
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	const said = "no space left on device"
	if _, err := (AllocDir{}).Up(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := (TaskDir{}).Up(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := (Payload{}).Up(t.Context(), in); err == nil || !strings.Contains(err.Error(), said) {
		t.Errorf("payload: %v", err)
	}
	if _, err := os.Lstat(in.Dir + "/web/local/data"); err == nil {
		t.Error("half a payload is left")
	}
	in.Task = &api.Task{Name: "db"}
	if _, err := (TaskDir{}).Up(t.Context(), in); err == nil || !strings.Contains(err.Error(), said) {
		t.Errorf("directories of a task: %v", err)
	}
	migratesInto(t, in)
}

// migratesInto fetches a disk that does not fit on that of the node.
func migratesInto(t *testing.T, in *In) {
	from := t.TempDir()
	if err := errors.Join(os.MkdirAll(from+"/alloc/data", 0o755), os.WriteFile(from+"/alloc/data/big", make([]byte, 256<<10), 0o644)); err != nil {
		t.Fatal(err)
	}
	root, err := files.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	group := in.Alloc.Job.TaskGroups[0]
	group.EphemeralDisk = &api.EphemeralDisk{SizeMB: 10, Migrate: true}
	in.Alloc.PreviousAllocation = "other"
	var noted string
	in.Note = func(text string) { noted += text + "\n" }
	d := &Disk{Dir: filepath.Dir(in.Dir), Fetch: func(ctx context.Context, _ string) (io.ReadCloser, error) {
		var archive bytes.Buffer
		return io.NopCloser(&archive), DiskArchive(ctx, root, group, &archive)
	}}
	if _, err := d.Up(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(noted, "the disk begins empty: ") || !strings.Contains(noted, "no space left on device") {
		t.Errorf("told: %s", noted)
	}
	if _, err := os.Lstat(in.Dir + "/" + incoming); err == nil {
		t.Error("what was gathered aside is left")
	}
}
