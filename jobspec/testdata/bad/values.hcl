job "values spaced" {
  priority = 101
  type     = "servcie"
  constraint {
    attribute = "${attr.kernel.name}"
    operator  = "~="
    value     = "x"
  }
  constraint {
    attribute = "${attr.kernel.name}"
    regexp    = "a(b"
  }
  constraint {
    value = "x"
  }
  group "a/b" {
    count = -1
    network {
      mode = "brigde"
      port "http" {
        static = 70000
      }
      port "http" {}
    }
    task "alloc" {
      driver = "exec"
      user   = "4294967296:0"
      resources {
        memory = 5
        cpu    = 0
      }
    }
    task "..x" {
      driver       = ""
      kill_timeout = "-1s"
      lifecycle {
        hook = "before"
      }
    }
  }
  group "a/b" {}
}
