# A batch job: it runs to its end, and its output stays until it is collected.
variable "lines" {
  type        = number
  default     = 3
  description = "How many lines to report"

  validation {
    condition     = var.lines > 0
    error_message = "Ask for at least one line."
  }
}

job "demo-report" {
  type = "batch"

  group "report" {
    task "report" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"report of ${NOMAD_JOB_NAME} in ${NOMAD_DC}\"; df -h / | head -n ${var.lines}; free -m | head -n ${var.lines}"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
