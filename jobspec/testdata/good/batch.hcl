job "batch" {
  type = "batch"
  reschedule {
    attempts = 3
  }
  group "a" {
    reschedule {
      interval = "2h"
    }
    task "t" {
      driver = "raw_exec"
      config { command = "/bin/true" }
    }
  }
}
