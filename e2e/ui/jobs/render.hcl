job "render" {
  type = "batch"
  parameterized {
    payload       = "optional"
    meta_required = ["scene"]
    meta_optional = ["quality"]
  }
  group "frame" {
    task "draw" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo drawing $NOMAD_META_scene; sleep 2"]
      }
      resources {
        cpu    = 100
        memory = 32
      }
    }
  }
}
