# The smallest useful service: it runs until it is stopped, and is started
# again when it ends by itself.
job "demo-service" {
  group "clock" {
    count = 1

    # Healthy is what has run for so long.
    update {
      min_healthy_time = "1s"
    }

    task "clock" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "trap 'echo good bye; exit 0' TERM INT; while true; do date; sleep 1 & wait $!; done"]
      }

      # A stop sends this signal and waits so long before it kills.
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      # What the scheduler keeps free for the task: MHz and MB.
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
