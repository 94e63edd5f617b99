# Variables, locals, functions and dynamic blocks.
#   serai job plan demo-variables.nomad.hcl
#   serai job run -var size=large demo-variables.nomad.hcl
#   SERAI_VAR_workers='["ann","bob"]' serai job run demo-variables.nomad.hcl
#   serai job run -var-file demo-variables.vars.hcl demo-variables.nomad.hcl
variable "workers" {
  type        = list(string)
  default     = ["ann", "bob", "cy"]
  description = "One group is made for each"

  validation {
    condition     = length(var.workers) > 0 && length(var.workers) == length(distinct(var.workers))
    error_message = "Name at least one worker, and none twice."
  }
}

variable "size" {
  type    = string
  default = "small"

  validation {
    condition     = contains(["small", "large"], var.size)
    error_message = "A worker is small or large."
  }
}

variable "greeting" {
  type      = string
  default   = "hello"
  sensitive = true
}

locals {
  memory = { small = 16, large = 64 }[var.size]
  team   = join(", ", [for w in var.workers : title(w)])
}

job "demo-variables" {
  type = "batch"

  meta {
    team = local.team
    size = var.size
  }

  # A dynamic block makes a block for every element.
  dynamic "group" {
    for_each = var.workers
    labels   = ["worker-${group.value}"]

    content {
      task "work" {
        driver = "raw_exec"

        config {
          command = "/bin/sh"
          # $${…} stays as it is; ${NOMAD_…} is filled in where the task runs.
          args = ["-c", "name=${group.value}; echo \"${var.greeting} from $${name}, one of: ${local.team} (${NOMAD_ALLOC_ID})\""]
        }

        resources {
          cpu    = 20
          memory = local.memory
        }
      }
    }
  }
}
