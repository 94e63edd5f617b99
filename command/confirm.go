package command

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/seraihq/serai/command/cli"
)

// confirm asks a question on a terminal; anything but yes is no. Without a
// terminal the answer is yes: scripts cannot answer.
func confirm(inv *cli.Invocation, format string, args ...any) bool {
	if !cli.IsTerminal(inv.Stdin) {
		return true
	}
	fmt.Fprintf(inv.Stdout, format+" [y/N] ", args...)
	line, _ := bufio.NewReader(inv.Stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	inv.Printf("Cancelled.")
	return false
}
