job "shop" {
  group "front" {
    task "server" {
      driver = "raw_exec"
      config {
        command = "true"
      }
    }
  }
}
