# Two tasks in one pod: they share a network of their own, and reach each other
# on localhost. Port 80 of the pod is reached by a port of the node, which
# "serai alloc status" shows. docs/networks.md tells how it works.

job "bridge" {
  group "pod" {
    network {
      mode     = "bridge"
      hostname = "bridge-${NOMAD_ALLOC_INDEX}"

      port "http" {
        to = 80
      }
    }

    # The web server. In the pod it may bind port 80, though it is nobody there.
    task "web" {
      driver       = "exec"
      kill_timeout = "1s"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo pod $(hostname) on $NOMAD_ALLOC_ADDR_http >/local/index.html; exec busybox httpd -f -p $NOMAD_PORT_http -h /local"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }

    # What looks after it from beside.
    task "probe" {
      driver       = "exec"
      kill_timeout = "1s"

      config {
        command = "/bin/sh"
        args    = ["-c", "while sleep 1; do busybox wget -q -O /dev/null http://127.0.0.1:$NOMAD_PORT_http/ && echo the page is there; done"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
