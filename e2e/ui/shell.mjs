// A job that runs a script, for browser tests and measures.

export const idle = "while true; do sleep 1; done";

/** The text of a job with one raw_exec task: more goes into its group. */
export const shell = (name, script = idle, more = "", type = "service") => `
job ${JSON.stringify(name)} {
  type = "${type}"
  group "g" {
    ${more}
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", ${JSON.stringify(script)}]
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}`;
