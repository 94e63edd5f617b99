# Every kind of task around a main task, in the order in which they run.
# Watch it:  serai job run demo-lifecycle.nomad.hcl; serai alloc status ALLOC
job "demo-lifecycle" {
  type = "batch"

  group "order" {
    # A task that fails is started again where it is, at most once here.
    restart {
      attempts = 1
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }

    # Runs first and must end well before the main task starts.
    task "fetch" {
      driver = "raw_exec"

      lifecycle {
        hook = "prestart"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "seq 1 5 > ${NOMAD_ALLOC_DIR}/data/numbers && echo fetched"]
      }
    }

    # Starts before the main task and runs beside it until it ends.
    task "heartbeat" {
      driver = "raw_exec"

      lifecycle {
        hook    = "prestart"
        sidecar = true
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "while true; do echo \"alive at $(date +%T)\"; sleep 1; done"]
      }
    }

    # The main task: no lifecycle block. The allocation is complete when it is.
    task "sum" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          total=0
          while read n; do total=$((total + n)); sleep 1; done < $NOMAD_ALLOC_DIR/data/numbers
          echo "the sum is $total" | tee $NOMAD_ALLOC_DIR/data/sum
        EOT
        ]
      }
    }

    # Runs once the main task runs.
    task "announce" {
      driver = "raw_exec"

      lifecycle {
        hook = "poststart"
      }

      config {
        command = "/bin/echo"
        args    = ["the sum is being made in", "${NOMAD_ALLOC_NAME}"]
      }
    }

    # Runs when all others have ended, however they ended.
    task "clean" {
      driver = "raw_exec"

      lifecycle {
        hook = "poststop"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "cat $NOMAD_ALLOC_DIR/data/sum; rm -f $NOMAD_ALLOC_DIR/data/*; echo cleaned"]
      }
    }
  }
}
