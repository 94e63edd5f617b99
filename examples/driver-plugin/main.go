// Command script-driver is a task driver for serai, in its own module: it runs scripts that stand in the job file, with any interpreter that the
// operator allows.
//
//	task "report" {
//	  driver = "script"
//	  config {
//	    command = "python3"
//	    script  = "print('hello')"
//	  }
//	}
//
// It is built on the public SDK alone (github.com/seraihq/serai/drivers and drivers/plugin) and is meant to be read, from here: config.go says what
// may be written, driver.go answers the agent, task.go starts and watches one script, group.go keeps hold of all its processes, exec.go runs
// commands beside it, stats.go measures it.
package main

import "github.com/seraihq/serai/drivers/plugin"

func main() { plugin.Serve(New()) }
