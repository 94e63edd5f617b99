jobb "x" {}
variabel "y" {}
job "unknown" {
  gruop "web" {}
  prioritty = 3
  group "web" {
    cuont = 2
    network = {
      mode = "host"
    }
    count {
      a = 1
    }
    task {
      driver = "exec"
    }
    task "a" "b" {
      driver = "exec"
    }
    ephemeral_disk "x" {}
    task "t" {
      driver = "exec"
      resources {
        memroy = 10
        cpu    = 10
      }
      resources {
        cpu = 20
      }
      env {
        nested {
          a = 1
        }
      }
      template {
        destnation = "x"
      }
    }
  }
}
