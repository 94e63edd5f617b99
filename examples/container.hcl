# A web server in a container, run by serai itself: no daemon is needed, only an agent that runs as root on Linux. The image is pulled once and
# unpacked once for all containers of a node.
# Run it:  serai job run examples/container.hcl
variable "image" {
  type        = string
  default     = "busybox:1"
  description = "an image with a shell and httpd"
}

job "container" {
  group "web" {
    network {
      port "http" {}
    }

    task "httpd" {
      driver = "container"

      config {
        image   = var.image
        command = "sh"
        args    = ["-c", "mkdir -p /tmp/www && echo hello from $NOMAD_ALLOC_ID > /tmp/www/index.html && exec httpd -f -v -p $NOMAD_PORT_http -h /tmp/www"]
        ports   = ["http"]

        readonly_rootfs = true # nothing but what is mounted can be written
        cap_drop        = ["all"]
        pids_limit      = 64

        mount {
          type   = "tmpfs"
          target = "/tmp"

          tmpfs_options {
            size = 1048576
          }
        }

        # auth {
        #   username = "…"
        #   password = "…"
        # }
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
