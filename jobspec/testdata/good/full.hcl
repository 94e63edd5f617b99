# Most blocks and forms of a job file at once.
variable "image" {
  type        = string
  default     = "demo:1"
  description = "what runs"

  validation {
    condition     = strlen(var.image) > 2
    error_message = "The image must have a name."
  }
}

variable "ports" {
  type = map(number)
  default = {
    admin = 9000
    http  = 0
  }
}

variables {
  zone = "eu"
}

locals {
  tags  = [for i in range(2) : "tag-${i}"]
  greet = "hello ${local.who}"
  who   = upper(var.zone)
}

job "full" {
  datacenters = ["dc*"]
  type        = "service"
  priority    = 60

  meta {
    greet          = local.greet
    number         = 7
    "quoted.name"  = true
    kept           = "$${literal} ${attr.kernel.name} ${meta.rack} ${env["HOME"]} ${NOMAD_ALLOC_DIR} ${HOSTNAME} ${shell}"
  }

  constraint {
    attribute = attr.kernel.name
    value     = "linux"
  }

  constraint {
    attribute = "${attr.cpu.arch}"
    regexp    = "amd64|arm64"
  }

  constraint {
    distinct_hosts = true
  }

  constraint {
    distinct_property = "${meta.rack}"
    value             = 2
  }

  constraint {
    attribute = "${attr.os.version}"
    version   = ">= 10"
  }

  constraint {
    attribute = meta.gpu
    operator  = "is_set"
  }

  constraint {
    distinct_hosts = false
  }

  spread {
    attribute = "${node.datacenter}"
    target "dc1" {
      percent = 60
    }
  }

  affinity {
    attribute    = node.class
    set_contains = "fast"
    weight       = -20
  }

  update {
    max_parallel = 2
    canary       = 1
  }

  ui {
    description = "A **demo**"
    link {
      label = "Docs"
      url   = "https://example.com"
    }
  }

  group "web" {
    count = "3"

    restart {
      attempts = 5
      interval = "10m"
    }

    network {
      dynamic "port" {
        for_each = var.ports
        labels   = [port.key]
        content {
          static = port.value
          to     = port.value == 0 ? 8080 : -1
        }
      }
    }

    service {
      name     = "web"
      port     = "http"
      provider = "nomad"
      tags     = local.tags

      check {
        type     = "http"
        path     = "/"
        interval = "10s"
        timeout  = "2s"
        header {
          Accept = ["text/html"]
        }
      }
    }

    ephemeral_disk {
      size = 500
    }

    task "server" {
      driver       = "exec"
      user         = "nobody"
      kill_timeout = "20s"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo ${local.greet} on ${NOMAD_PORT_http}", 3]
        deep    = { a = [1, 2.5, { b = null }] }

        mount {
          type   = "bind"
          target = "/x"
          bind_options {
            propagation = "private"
          }
        }
        mount {
          type = "tmpfs"
        }
        labelled "one" {
          a = 1
        }
        dynamic "device" {
          for_each = ["a", "b"]
          iterator = d
          content {
            host_path = "/dev/${d.value}"
          }
        }
      }

      env {
        GREETING = local.greet
        DEBUG    = false
        N        = 5
        BIG      = 12345678901234567890
        SCRIPT   = <<-EOT
          #!/bin/sh
          for f in *; do
            echo "$${f} $f ${NOMAD_TASK_NAME}"
          done
          %{ for t in local.tags ~}
          tag ${t}
          %{ endfor ~}
        EOT
      }

      resources {
        cpu        = 200
        memory     = 64
        memory_max = 128
      }

      logs {
        max_files = 3
      }

      identity {
        env = true
      }
      identity {
        name = "other"
        aud  = ["x"]
      }
    }

    task "init" {
      driver = "raw_exec"
      lifecycle {
        hook = "prestart"
      }
      config {
        command = "/bin/true"
      }
      restart {
        attempts = 0
      }
    }
  }

  task "alone" {
    driver = "raw_exec"
    env = {
      A = "b"
    }
    config {
      command = "/bin/sleep"
    }
  }
}
