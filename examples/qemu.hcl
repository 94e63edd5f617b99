# A virtual machine. It starts from a kernel of this node, and its port 80 answers on a port of the node.
# The operator allows the directory in the agent's configuration:
#   plugin "qemu" {
#     config {
#       image_paths = ["/var/lib/machines"]
#     }
#   }
# Run it:  serai job run -var dir=/var/lib/machines examples/qemu.hcl
variable "dir" {
  type        = string
  default     = "/var/lib/machines"
  description = "where vmlinuz and initrd lie"
}

variable "append" {
  type    = string
  default = "console=ttyS0"
}

job "qemu" {
  group "machines" {
    network {
      port "http" {}
    }

    task "vm" {
      driver       = "qemu"
      kill_timeout = "30s"

      config {
        kernel = "${var.dir}/vmlinuz"
        initrd = "${var.dir}/initrd"
        append = var.append

        # From a disk instead:
        #   image_path      = "local/disk.qcow2" # fetched by an artifact, or a file of the node that the operator allows
        #   drive_interface = "virtio"

        graceful_shutdown = true # the power button first; killed when the guest still runs after kill_timeout

        port_map = {
          http = 80
        }
      }

      resources {
        cpu    = 500
        memory = 128
      }
    }
  }
}
