# The exec driver runs a task in its own mount, process, IPC and host name
# spaces, on a file system of its own, as an unprivileged user, within limits.
# It needs an agent that runs as root on Linux.
# See it:  serai alloc logs -job demo-isolation
job "demo-isolation" {
  type = "batch"

  group "inside" {
    task "look" {
      driver = "exec"
      user   = "nobody"

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          echo "I am $(id -un), process $$, and see these processes:"
          ls -d /proc/[0-9]* | tr '\n' ' '; echo
          echo "My root has:"; ls / | tr '\n' ' '; echo
          grep -E 'NoNewPrivs|CapEff|Seccomp:' /proc/self/status
          echo "I may write to my folders:"; ls -ld $NOMAD_TASK_DIR $NOMAD_ALLOC_DIR $NOMAD_SECRETS_DIR
        EOT
        ]
      }

      resources {
        cpu    = 100
        memory = 32 # more than this and the task is killed, and the reason told
      }
    }
  }
}
