# One job on three drivers, side by side: a container, an isolated process of the host's own programs, and a Java program.
# Each says who it is and what it sees.
job "demo-mixed" {
  group "container" {
    # An image made here, so that the demonstration needs no registry: busybox and nothing else.
    task "image" {
      driver = "raw_exec"

      lifecycle {
        hook = "prestart"
      }

      config {
        command = "/bin/sh"
        args = ["-ec", <<-EOT
          cd "$NOMAD_ALLOC_DIR/data"
          mkdir -p root/bin root/tmp
          cp "$(command -v busybox)" root/bin/busybox
          for name in sh echo id ls wc sleep; do ln -sf busybox "root/bin/$name"; done
          tar -C root -cf layer.tar .
          case $(uname -m) in aarch64) arch=arm64 ;; *) arch=amd64 ;; esac
          printf '{"architecture":"%s","os":"linux","config":{"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
            "$arch" "$(sha256sum layer.tar | cut -d ' ' -f 1)" > config.json
          printf '[{"Config":"config.json","RepoTags":["demo:1"],"Layers":["layer.tar"]}]' > manifest.json
          tar -cf image.tar manifest.json config.json layer.tar
        EOT
        ]
      }

      resources {
        cpu    = 100
        memory = 32
      }
    }

    task "hello" {
      driver = "container"

      config {
        image   = "demo:1"
        load    = "../alloc/data/image.tar"
        command = "sh"
        args    = ["-c", "echo \"in a container: user $(id -u), process $$ of $(ls -d /proc/[0-9]* | wc -l), root has: $(echo /*)\"; exec sleep 100000"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }

  group "exec" {
    task "hello" {
      driver = "exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"in exec: user $(id -u), process $$ of $(ls -d /proc/[0-9]* | wc -l), root has: $(echo /*)\"; exec sleep 100000"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }

  group "java" {
    task "hello" {
      driver = "java"

      config {
        class       = "/local/Hello.java"
        jvm_options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
      }

      template {
        destination = "local/Hello.java"
        data        = <<-EOT
          public class Hello {
              public static void main(String[] args) throws Exception {
                  System.out.println("in Java " + Runtime.version().feature() + ": process " + ProcessHandle.current().pid()
                      + " of " + ProcessHandle.allProcesses().count() + ", heap of up to " + (Runtime.getRuntime().maxMemory() >> 20) + " MiB");
                  Thread.sleep(Long.MAX_VALUE);
              }
          }
        EOT
      }

      resources {
        cpu    = 500
        memory = 256
      }
    }
  }
}
