job "shop" {
  type = "service"

  ui {
    description = "The shop's front and its cart. On call: the shop team."
    link {
      label = "Runbook"
      url   = "https://example.org/runbook"
    }
  }

  update {
    max_parallel     = 1
    canary           = 1
    min_healthy_time = "1s"
    auto_revert      = true
  }

  group "front" {
    count = 3

    network {
      port "http" {}
    }

    task "server" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "i=0; while true; do i=$((i+1)); echo \"$(date +%H:%M:%S) GET /cart/$i 200\"; [ $((i % 7)) = 0 ] && echo \"$(date +%H:%M:%S) WARN slow answer: $i ms\" >&2; sleep 0.3; done"]
      }
      resources {
        cpu    = 200
        memory = 64
      }
    }
  }

  group "cart" {
    count = 2

    task "cart" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "while true; do sleep 1; done"]
      }
      resources {
        cpu    = 100
        memory = 32
      }
    }
  }
}
