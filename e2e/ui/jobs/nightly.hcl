job "nightly-report" {
  type = "batch"
  periodic {
    crons = ["30 3 * * *"]
  }
  group "report" {
    task "write" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo report; sleep 1"]
      }
      resources {
        cpu    = 50
        memory = 16
      }
    }
  }
}
