package plugin

import (
	"os"
	"syscall"
)

// The lifeline of a built-in driver's host is a pipe to its standard input, whose other end only the agent that started it has. Nothing else tells
// a host that its agent was killed before it connected, or before it wrote down how to find the host again.

// stay is sent by an agent that lets go of a host which it has written down.
const stay = '.'

// lifeline makes the pipe, for a command that is a host of ours; to other programs standard input is their own affair.
func lifeline(args []string) (host, agent *os.File, err error) {
	if len(args) == 0 || args[0] != hostCommand {
		return nil, nil, nil
	}
	return os.Pipe()
}

// letGo ends a lifeline without harm to the host.
func letGo(line *os.File) {
	if line != nil {
		_, _ = line.Write([]byte{stay})
		_ = line.Close()
	}
}

// holdLifeline calls orphaned when the agent is gone without a word. Without a lifeline, as from an older agent, it does nothing.
func holdLifeline(orphaned func()) {
	if st, err := os.Stdin.Stat(); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	if syscall.SetNonblock(syscall.Stdin, true) != nil { // so that the wait costs no thread
		return
	}
	line := os.NewFile(uintptr(syscall.Stdin), "lifeline")
	go func() {
		if n, _ := line.Read(make([]byte, 1)); n == 0 {
			orphaned()
		}
	}()
}
