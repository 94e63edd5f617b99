package pods

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

// web is a pod: a web server, and a task beside it that reaches it on localhost.
func web(id, port string) string {
	return fmt.Sprintf(`
job %q {
  group "g" {
    network {
      mode     = "bridge"
      hostname = "web-${NOMAD_ALLOC_INDEX}"
      port "http" {
        to = 80
        %s
      }
      port "internal" {
        to           = 80
        host_network = "internal"
      }
      dns {
        servers  = ["192.0.2.53"]
        searches = ["pods.example"]
        options  = ["ndots:2"]
      }
    }
    task "server" {
      driver       = "exec"
      kill_timeout = "100ms"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo page of $NOMAD_JOB_NAME >/local/index.html; exec busybox httpd -f -p $NOMAD_PORT_http -h /local"]
      }
    }
    task "sidecar" {
      driver       = "raw_exec"
      kill_timeout = "100ms"
      config {
        command = "/bin/sh"
        args    = ["-c", "until busybox wget -q -O - http://127.0.0.1/; do sleep 0.1; done; env; exec sleep 600"]
      }
    }
  }
}`, id, port)
}

// script is a job that runs a shell script in a pod, once.
func script(id, driver, mode, text string) string {
	return fmt.Sprintf(`
job %q {
  type = "batch"
  group "g" {
    restart {
      attempts = 0
    }
    reschedule {
      attempts = 0
    }
    network {
      mode = %q
    }
    task "t" {
      driver = %q
      config {
        command = "/bin/sh"
        args    = ["-c", <<EOS
%s
EOS
        ]
      }
    }
  }
}`, id, mode, driver, text)
}

func TestPod(t *testing.T) {
	a := start(t)
	alloc := a.run(t, "web", web("web", ""), api.AllocClientRunning)
	serves(t, host(t, alloc, "http"), "page of web")
	if at := host(t, alloc, "internal"); !strings.HasPrefix(at, "127.0.0.1:") {
		t.Errorf("the port of the host network is at %s", at)
	} else {
		serves(t, at, "page of web")
	}
	n := alloc.NetworkStatus
	if n == nil || n.InterfaceName != "eth0" || !strings.HasPrefix(n.Address, "172.26.") || n.DNS == nil || n.DNS.Servers[0] != "192.0.2.53" {
		t.Fatalf("network status %+v", n)
	}
	serves(t, n.Address, "page of web")
	if out, _ := a.cli(t, "alloc", "status", alloc.ID); !strings.Contains(out, n.Address) || !strings.Contains(out, `mode = "bridge"`) {
		t.Errorf("alloc status: %s", out)
	}
	out, ok := a.cli(t, "alloc", "exec", "-task", "server", alloc.ID, "/bin/sh", "-c", "cat /etc/resolv.conf /etc/hosts; hostname; busybox ip addr show eth0")
	for _, want := range []string{"nameserver 192.0.2.53", "search pods.example", "options ndots:2", n.Address + " web-0", "\nweb-0\n", "inet " + n.Address} {
		if !ok || !strings.Contains(out, want) {
			t.Errorf("in the pod %q is missing: %s", want, out)
		}
	}
	_, port, _ := net.SplitHostPort(host(t, alloc, "http"))
	eventually(t, "the sidecar reaches the server", func() bool { return strings.Contains(a.logs(t, alloc, "sidecar"), "NOMAD_") })
	out = a.logs(t, alloc, "sidecar")
	for _, want := range []string{"page of web", "NOMAD_PORT_http=80\n", "NOMAD_IP_http=" + address + "\n", "NOMAD_ADDR_http=" + address + ":" + port + "\n",
		"NOMAD_HOST_PORT_http=" + port + "\n", "NOMAD_ALLOC_IP_http=" + n.Address + "\n", "NOMAD_ALLOC_PORT_http=80\n", "NOMAD_ALLOC_INTERFACE_http=eth0\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the sidecar does not say %q: %s", want, out)
		}
	}
	// Another pod reaches it by its address and by the node's.
	batch := a.run(t, "client", script("client", "exec", "bridge",
		"busybox wget -q -O - http://"+n.Address+"/ && busybox wget -q -O - http://"+host(t, alloc, "http")+"/"), api.AllocClientComplete)
	if out := a.logs(t, batch, "t"); strings.Count(out, "page of web") != 2 {
		t.Errorf("another pod: %s", out)
	}
	a.stop(t, "web")
	if _, err := fetch("http://" + host(t, alloc, "http")); err == nil {
		t.Error("the port answers after the end")
	}
	a.settled(t)
	a.end(t)
}

func TestStaticPortOfAStranger(t *testing.T) {
	a := start(t)
	l, err := net.Listen("tcp", ":8099")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	alloc := a.run(t, "taken", strings.Replace(web("taken", "static = 8099"), `group "g" {`, "group \"g\" {\n reschedule {\n attempts = 0\n unlimited = false\n }", 1), api.AllocClientFailed)
	text := fmt.Sprint(alloc.TaskStates["server"].Events[len(alloc.TaskStates["server"].Events)-1].DisplayMessage)
	for _, e := range alloc.TaskStates["server"].Events {
		text += "\n" + e.DisplayMessage
	}
	if !strings.Contains(text, `port "http"`) || !strings.Contains(text, address+":8099") || !strings.Contains(text, "taken by a process") {
		t.Errorf("the events do not tell what is wrong: %s", text)
	}
	a.settled(t)
	l.Close()
	a.cli(t, "job", "stop", "-purge", "-detach", "taken")
	ok := a.run(t, "free", web("free", "static = 8099"), api.AllocClientRunning)
	serves(t, host(t, ok, "http"), "page of free")
	if l, err := net.Listen("tcp", address+":8099"); err == nil {
		l.Close()
		t.Error("a stranger takes the port of a pod")
	}
	a.stop(t, "free")
	a.end(t)
}

// A hostile task, with every right that a driver gives, stays in its pod.
func TestEscapePod(t *testing.T) {
	a := start(t)
	hidden, err := net.Listen("tcp", "127.0.0.1:9009")
	if err != nil {
		t.Fatal(err)
	}
	defer hidden.Close()
	for _, driver := range []string{"exec", "raw_exec"} {
		tries := `
try() { if "$@" >/dev/null 2>&1; then echo "REACHED $*"; fi; }
try busybox nc -w 1 127.0.0.1 9009 </dev/null
try busybox nc -w 1 172.26.64.1 9009 </dev/null
try busybox nc -w 1 ` + address + ` 9009 </dev/null
try busybox wget -T 1 -q -O - http://127.0.0.1:` + fmt.Sprint(a.Ports.HTTP) + `/v1/agent/self
try busybox wget -T 1 -q -O - http://172.26.64.1:` + fmt.Sprint(a.Ports.HTTP) + `/v1/agent/self
try busybox wget -T 1 -q -O - http://169.254.169.254/latest/meta-data/
busybox ip route replace 127.0.0.1 via 172.26.64.1 2>/dev/null
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet 2>/dev/null
try busybox nc -w 1 127.0.0.1 9009 </dev/null
echo tried; exit 0`
		id := "hostile-" + strings.ReplaceAll(driver, "_", "-")
		alloc := a.run(t, id, script(id, driver, "bridge", tries), api.AllocClientComplete)
		if out := a.logs(t, alloc, "t"); !strings.Contains(out, "tried") || strings.Contains(out, "REACHED") {
			t.Errorf("%s: %s", driver, out)
		}
		none := id + "-none"
		alloc = a.run(t, none, script(none, driver, "none", "cat /proc/net/dev; ("+tries+")"), api.AllocClientComplete)
		if out := a.logs(t, alloc, "t"); !strings.Contains(out, "tried") || strings.Contains(out, "REACHED") || strings.Contains(out, "uplink") || strings.Contains(out, "eth0") {
			t.Errorf("%s without a network: %s", driver, out)
		}
	}
	a.end(t)
}

// A network of plugins that no node has waits for a node that does.
func TestUnknownNetworkWaits(t *testing.T) {
	a := start(t)
	if out, ok := a.submit(t, script("lab", "exec", "cni/lab", "true")); !ok {
		t.Fatal(out)
	}
	eventually(t, "the reason is told", func() bool {
		out, _ := a.cli(t, "job", "status", "lab")
		return strings.Contains(out, "missing network")
	})
	a.end(t)
}

// The example in examples/ runs as it is.
func TestExample(t *testing.T) {
	a := start(t)
	if out, ok := a.cli(t, "fmt", "-check", "../../examples/bridge.hcl"); !ok {
		t.Errorf("it is not formatted: %s", out)
	}
	if out, ok := a.cli(t, "job", "run", "-detach", "../../examples/bridge.hcl"); !ok {
		t.Fatalf("job run: %s", out)
	}
	alloc := a.await(t, "bridge", api.AllocClientRunning)
	serves(t, host(t, alloc, "http"), "pod bridge-0 on ")
	eventually(t, "the sidecar sees it", func() bool { return strings.Contains(a.logs(t, alloc, "probe"), "the page is there") })
	a.stop(t, "bridge")
	a.settled(t)
	a.end(t)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
