package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/seraihq/serai/command/cli"
)

// defaultJobFile is what `job init` writes; editors know the name's ending.
const defaultJobFile = "example.nomad.hcl"

const shortExample = `# A small service. Run it:  serai job run example.nomad.hcl
job "example" {
  group "web" {
    network {
      port "http" {}
    }

    task "server" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "while true; do echo \"port $NOMAD_PORT_http is mine\"; sleep 5; done"]
      }

      resources {
        cpu    = 100 # MHz
        memory = 64  # MB
      }
    }
  }
}
`

const longExample = `# A job file says what runs, how often, and what it needs.
#
#   serai job plan example.nomad.hcl    what would change
#   serai job run example.nomad.hcl     run it and follow it
#   serai job status example            how it is
#   serai job stop example              stop it

variable "greeting" {
  type        = string
  default     = "Hello"
  description = "What the greeter says. Set it with -var greeting=Moin."
}

job "example" {
  # "service" keeps tasks running; "batch" lets them end; "system" and
  # "sysbatch" run one on every node.
  type = "service"

  # Where it may run. "*" takes every datacenter.
  datacenters = ["*"]

  # A constraint must hold on the node; ` + "`serai node status -verbose`" + ` shows the attributes.
  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  # The tasks of a group run on one node together.
  group "web" {
    count = 1

    network {
      # The scheduler picks a free port; tasks see it as ${NOMAD_PORT_http}.
      port "http" {}
    }

    # How often a task is started again where it is, before it counts as failed.
    restart {
      attempts = 2
      interval = "30m"
      delay    = "15s"
      mode     = "fail"
    }

    # Runs before the others, and must end well.
    task "greeter" {
      driver = "raw_exec"

      lifecycle {
        hook = "prestart"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"$GREETING from $NOMAD_ALLOC_NAME\" > ${NOMAD_ALLOC_DIR}/greeting"]
      }

      env {
        GREETING = var.greeting
      }
    }

    task "server" {
      # raw_exec runs a process as the agent's user, without isolation; "exec" isolates it.
      driver = "raw_exec"

      # Your program goes here; this one only talks.
      config {
        command = "/bin/sh"
        args    = ["-c", "while true; do echo \"$(cat ${NOMAD_ALLOC_DIR}/greeting), port $NOMAD_PORT_http is mine\"; sleep 5; done"]
      }

      # What the scheduler keeps free for the task, and what limits it.
      resources {
        cpu    = 100 # MHz
        memory = 64  # MB
      }

      # How a stop asks the task to end, and how long it may take.
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      # Output is kept in files of this size, and so many of them.
      logs {
        max_files     = 3
        max_file_size = 5 # MB
      }
    }
  }
}
`

func jobInit() *cli.Command {
	var short, connect, list bool
	var template string
	return &cli.Command{
		Name: "init", Synopsis: "Write an example of a job file", Usage: "[options] [<path>]", Max: 1, Offline: true,
		Help: `Writes a job file to start from, ` + defaultJobFile + ` when no path is given. A file that exists is not overwritten.`,
		Define: func(f *cli.Flags) {
			f.Bool(&short, "short", "Without comments.")
			f.Bool(&connect, "connect", "Not built yet: an example with a service mesh.")
			f.String(&template, "template", "<name>", "Not built yet: an example stored as a variable.")
			f.Bool(&list, "list-templates", "Not built yet: list examples stored as variables.")
		},
		Run: func(_ context.Context, inv *cli.Invocation) error {
			if connect || template != "" || list {
				return fmt.Errorf("-connect, -template and -list-templates are not built yet")
			}
			path, text := defaultJobFile, longExample
			if len(inv.Args) == 1 {
				path = inv.Args[0]
			}
			if short {
				text = shortExample
			}
			return writeNew(inv, path, text, false, "job file")
		},
	}
}

// writeNew writes an example where no file is.
func writeNew(inv *cli.Invocation, path, text string, quiet bool, what string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; name another path", path)
	}
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if !quiet {
		inv.Printf("Example %s written to %s", what, path)
	}
	return nil
}
