job "disp" {
  type = "batch"
  parameterized {
    payload       = "required"
    meta_required = ["who"]
  }
  group "front" {
    task "server" {
      driver = "raw_exec"
      config {
        command = "true"
      }
    }
  }
}
