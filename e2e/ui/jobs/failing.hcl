job "import" {
  type = "batch"
  group "load" {
    restart {
      attempts = 1
      delay    = "1s"
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }
    task "load" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo 'cannot open orders.csv' >&2; exit 3"]
      }
      resources {
        cpu    = 50
        memory = 16
      }
    }
  }
}
