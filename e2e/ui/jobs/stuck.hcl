job "train-model" {
  type     = "service"
  priority = 70

  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  group "trainer" {
    count = 2
    task "train" {
      driver = "raw_exec"
      config {
        command = "/bin/true"
      }
      resources {
        cpu    = 500
        memory = 26000
      }
    }
  }
}
