# Two instances of a small service, each on a port that the scheduler chose,
# and a sidecar beside each.
job "demo-web" {
  type = "service"

  group "web" {
    count = 2

    # A new version replaces one instance at a time, and goes back to the one
    # before when an instance is not well for a second.
    update {
      max_parallel     = 1
      min_healthy_time = "1s"
      auto_revert      = true
    }

    network {
      port "http" {}
    }

    restart {
      attempts = 3
      delay    = "1s"
    }

    task "prepare" {
      driver = "raw_exec"

      lifecycle {
        hook = "prestart"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"served by $NOMAD_ALLOC_NAME\" > $NOMAD_ALLOC_DIR/data/index.txt"]
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }

    task "server" {
      driver = "raw_exec"
      leader = true

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          echo "instance $NOMAD_ALLOC_INDEX has port $NOMAD_PORT_http on node $NODE"
          trap 'echo "stopping in order"; exit 0' INT TERM
          while true; do
            echo "$(date +%T) $(cat $NOMAD_ALLOC_DIR/data/index.txt)"
            sleep 1 & wait $!
          done
        EOT
        ]
      }

      env {
        NODE = "${node.unique.name}"
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }

    task "watcher" {
      driver = "raw_exec"

      lifecycle {
        hook    = "poststart"
        sidecar = true
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "while true; do uptime; sleep 5; done"]
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
