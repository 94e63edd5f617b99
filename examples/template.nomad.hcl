# Templates: a configuration file and an environment, made from the task's
# surroundings and from a file that another task writes. When that changes, the
# web task is told by a signal; nothing else is disturbed.
#   serai job run template.nomad.hcl
#   serai alloc logs -f -job template web
job "template" {
  group "app" {
    meta {
      colour = "blue"
    }

    # Writes the list of backends, and a longer one ten seconds later.
    task "list" {
      driver = "raw_exec"

      lifecycle {
        hook    = "prestart"
        sidecar = true
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "cd $NOMAD_ALLOC_DIR/data; echo '[\"a\"]' >list.json; sleep 10; echo '[\"a\", \"b\"]' >list.new; mv list.new list.json; exec sleep 100000"]
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }

    task "web" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "trap 'cat local/app.conf' HUP; echo starts as $COLOUR; cat local/app.conf; while true; do sleep 1; done"]
      }

      template {
        destination   = "local/app.conf"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        splay         = "1s"

        data = <<-EOF
          # for {{ env "NOMAD_TASK_NAME" }} in {{ env "NOMAD_DC" }}
          {{ range file "/alloc/data/list.json" | parseJSON }}backend {{ . | toUpper }}
          {{ end }}
        EOF
      }

      # A template for the environment; a change of it would restart the task.
      template {
        destination = "secrets/app.env"
        env         = true
        perms       = "0600"
        data        = "COLOUR={{ env \"NOMAD_META_colour\" | sprig_title }}"
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }

    update {
      min_healthy_time = "1s"
    }
  }
}
