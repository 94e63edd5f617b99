package pods

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

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

// An agent that dies while it makes or removes a network leaves nothing for good.
// All places are gone through by the tests of client/network.
func TestKilledInTheMiddle(t *testing.T) {
	for _, place := range []string{"recorded", "namespace", "pair", "routed", "unplugged"} {
		t.Run(place, func(t *testing.T) {
			a := start(t, "SERAI_FAILPOINTS=network:"+place)
			id := "killed-" + place
			hcl := script(id, "raw_exec", "bridge", "sleep 0.2")
			if out, ok := a.submit(t, hcl); !ok {
				t.Fatal(out)
			}
			select {
			case <-a.Done():
			case <-time.After(patience):
				t.Fatal("it was not killed")
			}
			if !strings.Contains(a.Log(), "fail point network:"+place) {
				t.Fatalf("it ended for another reason")
			}
			a.Revive(t)
			alloc := a.await(t, id, api.AllocClientComplete)
			if alloc.TaskStates["t"].Failed {
				t.Errorf("the task failed: %+v", alloc.TaskStates["t"])
			}
			a.settled(t)
			a.end(t)
		})
	}
}

// Revive starts the agent without its fail points.
func (a *agent) Revive(t *testing.T) {
	t.Helper()
	a.SetEnv()
	a.launch(t)
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
