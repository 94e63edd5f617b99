# The service of "make demo-cluster": a small web server on two of the three
# clients, confined.
job "demo-cluster" {
  group "web" {
    count = 2

    network {
      port "http" {}
    }

    constraint {
      distinct_hosts = true
    }

    update {
      min_healthy_time = "1s"
    }

    task "httpd" {
      driver = "exec"

      config {
        command = "/bin/busybox"
        args    = ["httpd", "-f", "-p", "${NOMAD_ADDR_http}", "-h", "/local"]
      }

      template {
        data        = "hello from {{ env \"node.unique.name\" }}\n"
        destination = "local/index.html"
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
