job "web" {
  priority = 60

  group "front" {
    count = 3

    task "server" {
      driver = "raw_exec"

      config {
        command = "sleep"
        args    = ["1h"]
      }

      env {
        A = "1"
      }
    }
  }
}
