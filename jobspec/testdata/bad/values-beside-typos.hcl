job "x" {
  priority = 500
  grup "g" {
    count = "many"
  }
  group "a" {
    count = -1
    task "t" {
      driver = "raw_exec"
      config { comand = "/bin/x" }
      resources { memry = 10 }
    }
  }
}
