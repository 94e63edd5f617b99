package e2e

import (
	"bufio"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// environment reads what `env` printed.
func environment(text string) map[string]string {
	vars := map[string]string{}
	sc := bufio.NewScanner(strings.NewReader(text))
	for sc.Scan() {
		if k, v, ok := strings.Cut(sc.Text(), "="); ok {
			vars[k] = v
		}
	}
	return vars
}

func TestTaskEnvironment(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, fmt.Sprintf(`
job %q {
  type = "batch"
  meta {
    owner    = "job"
    "a-b c" = "signs"
  }
  group "web" {
    meta {
      owner = "group"
    }
    network {
      port "http" {
        to = 8080
      }
      port "my-admin" {}
    }
    task "main" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "env; echo END"]
      }
      env {
        PLAIN    = "value"
        NODE     = "${node.unique.name}"
        DC       = "${node.datacenter}"
        ARCH     = "${attr.kernel.name}"
        JOB      = "${NOMAD_JOB_ID}/${NOMAD_GROUP_NAME}/${NOMAD_TASK_NAME}"
        WHERE    = "${NOMAD_ADDR_http}"
        OWNER    = "${NOMAD_META_owner}"
        LOCAL    = "${NOMAD_TASK_DIR}/x"
      }
      meta {
        own = "task"
      }
      resources {
        cpu        = 50
        memory     = 64
        memory_max = 128
      }
    }
    task "second" {
      driver = "raw_exec"
      config {
        command = "/bin/true"
      }
    }
  }
}`, id))
	s := a.waitOne(t, id, "complete")
	alloc := a.alloc(t, s.ID)
	env := environment(a.logs(t, s.ID, "main", "stdout"))
	port := map[string]int{}
	ip := ""
	for _, p := range alloc.AllocatedResources.Shared.Ports {
		port[p.Label], ip = p.Value, p.HostIP
	}
	want := map[string]string{
		"NOMAD_ALLOC_ID":       s.ID,
		"NOMAD_SHORT_ALLOC_ID": s.ID[:8],
		"NOMAD_ALLOC_NAME":     id + ".web[0]",
		"NOMAD_ALLOC_INDEX":    "0",
		"NOMAD_TASK_NAME":      "main",
		"NOMAD_GROUP_NAME":     "web",
		"NOMAD_JOB_ID":         id,
		"NOMAD_JOB_NAME":       id,
		"NOMAD_DC":             "dc1",
		"NOMAD_REGION":         "global",
		"NOMAD_NAMESPACE":      "default",
		"NOMAD_CPU_LIMIT":      "50",
		"NOMAD_MEMORY_LIMIT":   "64",
		"NOMAD_META_owner":     "group",
		"NOMAD_META_OWNER":     "group",
		"NOMAD_META_own":       "task",
		"NOMAD_META_OWN":       "task",
		"NOMAD_META_a_b_c":     "signs",
		"NOMAD_PORT_http":      "8080",
		"NOMAD_HOST_PORT_http": fmt.Sprint(port["http"]),
		"NOMAD_IP_http":        ip,
		"NOMAD_HOST_IP_http":   ip,
		"NOMAD_ADDR_http":      fmt.Sprintf("%s:%d", ip, port["http"]),
		"NOMAD_HOST_ADDR_http": fmt.Sprintf("%s:%d", ip, port["http"]),
		"NOMAD_PORT_my_admin":  fmt.Sprint(port["my-admin"]),
		"NOMAD_ADDR_my_admin":  fmt.Sprintf("%s:%d", ip, port["my-admin"]),
		"PLAIN":                "value",
		"NODE":                 a.Mark,
		"DC":                   "dc1",
		"ARCH":                 "linux",
		"JOB":                  id + "/web/main",
		"WHERE":                fmt.Sprintf("%s:%d", ip, port["http"]),
		"OWNER":                "group",
		"LOCAL":                env["NOMAD_TASK_DIR"] + "/x",
	}
	for k, v := range want {
		if env[k] != v {
			t.Errorf("%s=%q, want %q", k, env[k], v)
		}
	}
	for k, re := range map[string]string{
		"NOMAD_ALLOC_DIR":     `^/.*/` + s.ID + `/alloc$`,
		"NOMAD_TASK_DIR":      `^/.*/` + s.ID + `/main/local$`,
		"NOMAD_SECRETS_DIR":   `^/.*/` + s.ID + `/main/secrets$`,
		"NOMAD_PARENT_CGROUP": `.`,
	} {
		if !regexp.MustCompile(re).MatchString(env[k]) {
			t.Errorf("%s=%q, want like %s", k, env[k], re)
		}
	}
}

func TestEnvironmentOfSpecialPlaces(t *testing.T) {
	t.Parallel()
	a := shared(t)
	// The other indexes and a job in its own namespace.
	id := a.jobID(t)
	ns := "ns-" + id
	if r := a.do(t, "PUT", "/v1/namespace/"+ns, map[string]string{"Name": ns, "Description": "test"}); r.status != 200 {
		t.Fatalf("namespace: %d %s", r.status, r.body)
	}
	t.Cleanup(func() {
		a.cli(t, "job", "stop", "-purge", "-yes", "-namespace", ns, id)
	})
	hcl := fmt.Sprintf(`job %q {
  namespace = %q
  type      = "batch"
  group "g" {
    count = 2
    %s
  }
}`, id, ns, shell("t", "echo $NOMAD_NAMESPACE $NOMAD_ALLOC_INDEX"))
	a.register(t, hcl)
	seen := map[string]bool{}
	eventually(t, "both are complete", func() (bool, string) {
		var list []allocStub
		a.get(t, "/v1/job/"+id+"/allocations?namespace="+ns, &list)
		clear(seen)
		for _, s := range list {
			if s.ClientStatus == "complete" {
				r := a.do(t, "GET", "/v1/client/fs/logs/"+s.ID+"?task=t&type=stdout&plain=true&namespace="+ns, nil)
				seen[strings.TrimSpace(string(r.body))] = true
			}
		}
		return len(seen) == 2, fmt.Sprint(seen)
	})
	if !seen[ns+" 0"] || !seen[ns+" 1"] {
		t.Errorf("namespace and index seen by the tasks: %v", seen)
	}
}
