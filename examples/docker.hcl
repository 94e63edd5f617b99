# A web server in a container of the node's Docker Engine: its port 8080 answers on a port of the node.
# Where no engine answers, the same file runs on serai's own container driver, which listens on the node's port itself.
# Run it:  serai job run examples/docker.hcl
variable "image" {
  type        = string
  default     = "busybox:1"
  description = "an image with a shell and httpd"
}

job "docker" {
  group "web" {
    network {
      mode = "bridge"

      port "http" {
        to = 8080
      }
    }

    task "httpd" {
      driver = "docker"

      config {
        image   = var.image
        command = "sh"
        args    = ["-c", "echo hello from $NOMAD_JOB_NAME > /www/index.html && exec httpd -f -v -p 8080 -h /www"]
        ports   = ["http"]
        volumes = ["local/www:/www"]

        # readonly_rootfs = true
        # cap_drop        = ["all"]
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
