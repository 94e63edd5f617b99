package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers/qemu/qemutest"
	"github.com/seraihq/serai/e2e/rig"
)

// TestMachine runs the example: a machine with a kernel of the node answers on its forwarded port, outlives a kill -9 of the agent and of the
// driver's host, and shuts down by its power button when the job is stopped.
func TestMachine(t *testing.T) {
	t.Parallel()
	needRoot(t)
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("not here: run make test-deps, which installs QEMU")
	}
	dir, err := os.MkdirTemp("", "serai-machine-") // QEMU's user must be able to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := qemutest.Linux(dir); errors.Is(err, qemutest.ErrMissing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	a := start(t, rig.Options{Config: fmt.Sprintf("plugin \"qemu\" {\n  config {\n    image_paths = [%q]\n  }\n}\n", dir)})
	a.ok(t, "job", "run", "-detach", "-var", "dir="+dir, "-var", "append="+qemutest.LinuxArgs, filepath.Join("..", "examples", "qemu.hcl"))
	s := a.waitOne(t, "qemu", "running")
	var alloc struct {
		AllocatedResources struct {
			Shared struct {
				Ports []struct {
					HostIP string
					Value  int
				}
			}
		}
	}
	a.get(t, "/v1/allocation/"+s.ID, &alloc)
	if len(alloc.AllocatedResources.Shared.Ports) != 1 {
		t.Fatalf("ports: %+v", alloc)
	}
	port := alloc.AllocatedResources.Shared.Ports[0]
	url := fmt.Sprintf("http://%s:%d/", port.HostIP, port.Value)
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	answers := func() (bool, string) {
		resp, err := client.Get(url)
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return strings.Contains(string(text), "hello from the guest"), fmt.Sprintf("%s %v", text, err)
	}
	within(t, 3*time.Minute, "the machine answers", answers) // it is emulated, and shares the cores
	for _, h := range a.Hosts("qemu") {
		_ = syscall.Kill(h.PID, syscall.SIGKILL)
	}
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	within(t, 3*time.Minute, "it still answers", answers)
	a.ok(t, "job", "stop", "-detach", "qemu")
	a.waitOne(t, "qemu", "complete")
	if out := a.logs(t, s.ID, "vm", "stdout"); !strings.Contains(out, "the guest is up") || !strings.Contains(out, "the guest shuts down") {
		t.Errorf("its serial port says %q", out)
	}
	a.leavesNothing(t, syscall.SIGINT)
}
