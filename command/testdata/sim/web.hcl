job "web" {
  group "front" {
    count = 6

    task "server" {
      driver = "raw_exec"

      config {
        command = "sleep"
        args    = ["1h"]
      }

      resources {
        cpu    = 1500
        memory = 3000
      }
    }
  }
}
