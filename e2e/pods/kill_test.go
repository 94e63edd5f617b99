package pods

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/seraihq/serai/api"
)

// An agent that is killed while a pod runs disturbs nobody, and what is broken
// meanwhile is mended by the next.
func TestPodOutlivesItsAgent(t *testing.T) {
	a := start(t)
	alloc := a.run(t, "web", web("web", ""), api.AllocClientRunning)
	serves(t, host(t, alloc, "http"), "page of web")
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	serves(t, host(t, alloc, "http"), "page of web")
	if out, err := exec.Command("nft", "delete", "table", "inet", "serai-serai").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	a.launch(t)
	serves(t, host(t, alloc, "http"), "page of web")
	// While it runs, within its interval.
	if out, err := exec.Command("ip", "link", "del", "serai").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	serves(t, host(t, alloc, "http"), "page of web")
	if now := a.await(t, "web", api.AllocClientRunning); now.ID != alloc.ID || now.TaskStates["server"].Restarts != 0 || now.NetworkStatus.Address != alloc.NetworkStatus.Address {
		t.Errorf("the pod was disturbed: %+v", now.TaskStates["server"])
	}
	a.stop(t, "web")
	a.settled(t)
	a.end(t)
}

// submit registers a job and does not wait for it.
func (a *agent) submit(t *testing.T, hcl string) (string, bool) {
	t.Helper()
	path := t.TempDir() + "/job.hcl"
	if err := writeFile(path, hcl); err != nil {
		t.Fatal(err)
	}
	out, ok := a.cli(t, "job", "run", "-detach", path)
	return fmt.Sprint(out), ok
}
