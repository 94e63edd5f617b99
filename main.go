// Command serai is a workload scheduler in one binary: server, client, drivers
// and command line. See package command.
package main

import (
	"os"

	"github.com/seraihq/serai/client/artifact/fetch"
	"github.com/seraihq/serai/client/template/render"
	"github.com/seraihq/serai/command"
	"github.com/seraihq/serai/drivers/host"
)

func main() {
	fetch.Main(os.Args)
	if host.Main(os.Args) || render.Main(os.Args) {
		return
	}
	os.Exit(command.Main(os.Args[1:]))
}
