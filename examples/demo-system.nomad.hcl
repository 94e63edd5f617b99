# A system job runs once on every node that fits, also on nodes that join later.
job "demo-system" {
  type = "system"

  # Only nodes on which all constraints hold.
  constraint {
    attribute = attr.kernel.name
    value     = "linux"
  }

  group "watch" {
    task "load" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "while true; do echo \"$(date +%T) $NODE: $(cat /proc/loadavg)\"; sleep 5; done"]
      }

      env {
        NODE = "${node.unique.name}"
      }

      resources {
        cpu    = 20
        memory = 16
      }

      # Little is kept of what it writes.
      logs {
        max_files     = 2
        max_file_size = 1
      }
    }
  }
}
