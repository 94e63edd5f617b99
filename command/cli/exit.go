package cli

import (
	"errors"
	"fmt"
)

// Exit codes that do not come from a command.
const (
	CodeError   = 1
	CodeUnknown = 127 // no such command
)

// Exit is an error that ends the program with a code of its own. With a nil Err
// nothing is printed.
type Exit struct {
	Code int
	Err  error
}

func (e *Exit) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap gives the reason.
func (e *Exit) Unwrap() error { return e.Err }

// ExitCode gives an error that only sets the exit code.
func ExitCode(code int) error { return &Exit{Code: code} }

// UsageError is a wrong call: the help of the command is worth a look.
type UsageError struct{ Text string }

func (e *UsageError) Error() string { return e.Text }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{Text: fmt.Sprintf(format, args...)} }

// codeOf gives the exit code of an error.
func codeOf(err error) int {
	var exit *Exit
	if errors.As(err, &exit) {
		return exit.Code
	}
	if err != nil {
		return CodeError
	}
	return 0
}
