# A file, an archive or a repository is fetched before the task starts, by a
# process that can write to one place only. Say what:
#
#   serai job run -var source=https://example.org/app-1.2.tar.gz examples/artifact.hcl
#   serai job run -var source=git::https://example.org/app.git examples/artifact.hcl
#   serai job run -var source=s3::https://s3.example.org/bucket/app.zip examples/artifact.hcl
variable "source" {
  description = "where it comes from"
  type        = string
}

job "artifact" {
  type = "batch"

  group "g" {
    # What is fetched counts towards the disk.
    ephemeral_disk {
      size = 300
    }

    task "show" {
      driver = "exec"

      config {
        command = "/bin/ls"
        args    = ["-lR", "local/app"]
      }

      # Archives are unpacked. A checksum makes sure that it is the one that was
      # meant: options { checksum = "sha256:…" }; of a repository, a tag or a
      # commit: options { ref = "v1.2" }.
      artifact {
        source      = var.source
        destination = "local/app"
      }

      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
