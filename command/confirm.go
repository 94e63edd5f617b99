package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seraihq/serai/command/cli"
)

// confirm asks a question and reads the answer from standard input; anything
// but yes is no. Where nothing answers it is an error, which names -yes.
func confirm(inv *cli.Invocation, format string, args ...any) (bool, error) {
	fmt.Fprintf(inv.Stdout, format+" [y/N] ", args...)
	line, err := bufio.NewReader(inv.Stdin).ReadString('\n')
	if err != nil && line == "" {
		inv.Printf("")
		if errors.Is(err, io.EOF) {
			return false, errors.New("nobody answers; give -yes where there is nobody to ask")
		}
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	inv.Printf("Cancelled.")
	return false, nil
}
