job "types" {
  priority    = "high"
  datacenters = "dc1"
  all_at_once = "maybe"
  meta        = ["a"]
  group "web" {
    count = 1.5
    restart {
      interval = "soon"
      attempts = [1]
    }
    task "db" {
      driver       = ["exec"]
      kill_timeout = true
      leader       = 1
      resources {
        memory = "lots"
        cpu    = 99999999999999999999
      }
      env {
        A = { b = 1 }
      }
    }
  }
}
