job "notbuilt" {
  type = "batch"
  periodic {
    cron = "* * * * *"
  }
  vault {
    role = "r"
  }
  group "g" {
    network {
      mode = "bridge"
    }
    volume "data" {
      type   = "host"
      source = "data"
    }
    service {
      name = "s"
      connect {
        sidecar_service {}
      }
    }
    task "t" {
      driver = "exec"
      artifact {
        source = "https://example.com/x"
      }
      template {
        data        = "x"
        destination = "local/x"
      }
      volume_mount {
        volume      = "data"
        destination = "/data"
      }
      resources {
        cores = 2
        device "nvidia/gpu" {}
      }
      dispatch_payload {
        file = "x"
      }
      schedule {
        cron {
          start = "0 0 * * * *"
        }
      }
    }
  }
}
