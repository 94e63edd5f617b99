job "web" {
  prioriti = 60

  group "front" {
    count = "many"

    task "server" {
      driver = "raw_exec"
    }
  }
}
