job "agent" {
  type     = "system"
  priority = 80

  group "agent" {
    task "agent" {
      driver = "docker"

      config {
        image = "agent"
      }

      resources {
        cpu    = 100
        memory = 100
      }
    }
  }
}
