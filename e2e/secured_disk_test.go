package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

const secured = `
job "moving" {
  group "g" {
    ephemeral_disk {
      migrate = true
      size    = 20
    }
    task "t" {
      driver       = "raw_exec"
      kill_timeout = "1s"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo $NOMAD_ALLOC_ID >>$NOMAD_ALLOC_DIR/data/owners; echo start >>$NOMAD_TASK_DIR/starts; exec sleep 10000"]
      }
      logs {
        max_files     = 1
        max_file_size = 1
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
`

// TestSecuredDiskFollows drains a node of a cluster as "init" and "join" set it
// up: with TLS everywhere and tokens. What an allocation kept comes along.
func TestSecuredDiskFollows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := tokenIn(t, s.ok(t, append([]string{"init", "-client"}, s.machine(1, "first")...)...))
	secret, err := os.ReadFile(s.path("first", "etc", "management.token"))
	if err != nil {
		t.Fatal(err)
	}
	s.env = []string{"SERAI_ADDR=https://" + s.net + "1:4646", "SERAI_CACERT=" + s.path("first", "data", "tls", "ca.pem"), "SERAI_TOKEN=" + strings.TrimSpace(string(secret))}
	raw := func(name string) {
		t.Helper()
		// One machine has one bridge, which is not needed here.
		text := "plugin \"raw_exec\" {\n  config {\n    enabled = true\n  }\n}\nclient {\n  network_interface = \"lo\"\n}\n"
		if err := os.WriteFile(s.path(name, "etc", "drivers.hcl"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw("first")
	s.run(t, "first")
	s.ok(t, append(append([]string{"join"}, s.machine(2, "second")...), s.net+"1:4647", token)...)
	raw("second")
	s.run(t, "second")
	nodes := func() (list []api.NodeListStub) {
		t.Helper()
		if err := json.Unmarshal([]byte(s.ok(t, "node", "status", "-json")), &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	s.until(t, "both nodes are there", func() bool { return len(nodes()) == 2 })
	file := s.path("moving.hcl")
	if err := os.WriteFile(file, []byte(secured), 0o644); err != nil {
		t.Fatal(err)
	}
	s.ok(t, "job", "run", "-detach", file)
	running := func(but string) (found api.AllocationListStub) {
		t.Helper()
		s.until(t, "an allocation runs", func() bool {
			var list []api.AllocationListStub
			if err := json.Unmarshal([]byte(s.ok(t, "job", "allocs", "-json", "moving")), &list); err != nil {
				t.Fatal(err)
			}
			for _, a := range list {
				if a.ID != but && a.DesiredStatus == api.AllocDesiredRun && a.ClientStatus == api.AllocClientRunning {
					found = a
				}
			}
			return found.ID != ""
		})
		return found
	}
	last, owners := running(""), ""
	for moves := 0; ; moves++ {
		owners += last.ID + "\n"
		starts := strings.Repeat("start\n", moves+1)
		s.until(t, "it has written", func() bool {
			out, code := s.serai(t, "alloc", "fs", last.ID, "t/local/starts")
			return code == 0 && strings.HasSuffix(out, "start\n")
		})
		if out := s.ok(t, "alloc", "fs", last.ID, "t/local/starts"); out != starts {
			t.Fatalf("starts: %q\n%s", out, s.ok(t, "alloc", "status", last.ID))
		}
		if out := s.ok(t, "alloc", "fs", last.ID, "alloc/data/owners"); out != owners {
			t.Fatalf("owners: %q", out)
		}
		if moves == 2 { // away from the server's node, and to it
			break
		}
		s.ok(t, "node", "drain", "-enable", "-yes", last.NodeID)
		next := running(last.ID)
		if next.NodeID == last.NodeID {
			t.Error("it is still on the node that was drained")
		}
		s.ok(t, "node", "drain", "-disable", "-yes", last.NodeID)
		last = next
	}
	s.ok(t, "job", "stop", "-purge", "moving")
	s.ok(t, "system", "gc")
	s.until(t, "nothing of it is mounted", func() bool {
		mounts, err := os.ReadFile("/proc/self/mounts")
		return err == nil && !strings.Contains(string(mounts), s.dir+"/")
	})
}
