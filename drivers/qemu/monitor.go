package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	// maxMessage is the longest message read from QEMU, in bytes: what hangs behind a monitor is not to be trusted after an escape.
	maxMessage = 64 << 10
	// maxMessages is how many messages that are not the answer are passed over.
	maxMessages = 100
	// monitorPatience is how long QEMU may take for an answer.
	monitorPatience = 5 * time.Second
)

// powerdown asks the guest to shut down, as the power button does. Source of the protocol: QEMU's docs/interop/qmp-spec.txt.
func powerdown(ctx context.Context, socket string) error {
	conn, err := dial(ctx, socket)
	if err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, maxMessage)
	if _, err := message(in); err != nil { // the greeting
		return fmt.Errorf("monitor: greeting: %w", err)
	}
	for _, command := range []string{"qmp_capabilities", "system_powerdown"} {
		if err := execute(conn, in, command); err != nil {
			return fmt.Errorf("monitor: %s: %w", command, err)
		}
	}
	return nil
}

// askAgent asks the agent inside the guest to shut it down. There is no answer when it does, and none when there is no agent.
func askAgent(ctx context.Context, socket string) error {
	conn, err := dial(ctx, socket)
	if err != nil {
		return fmt.Errorf("guest agent: %w", err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, `{"execute":"guest-shutdown"}`+"\n")
	return err
}

func dial(ctx context.Context, socket string) (net.Conn, error) {
	d := net.Dialer{Timeout: monitorPatience}
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(monitorPatience))
}

// answer is any message of QMP.
type answer struct {
	Return json.RawMessage
	Error  *struct{ Class, Desc string }
}

// execute sends a command and reads until its answer; events in between are nobody's.
func execute(w io.Writer, in *bufio.Reader, command string) error {
	if _, err := fmt.Fprintf(w, "{\"execute\":%q}\n", command); err != nil {
		return err
	}
	for range maxMessages {
		a, err := message(in)
		switch {
		case err != nil:
			return err
		case a.Error != nil:
			return fmt.Errorf("%s: %.200q", a.Error.Class, a.Error.Desc)
		case a.Return != nil:
			return nil
		}
	}
	return errors.New("no answer among many messages")
}

// message reads one line.
func message(in *bufio.Reader) (answer, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return answer{}, err
	}
	var a answer
	return a, json.Unmarshal(line, &a)
}
