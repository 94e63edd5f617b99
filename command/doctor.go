package command

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/agent/doctor"
	"github.com/seraihq/serai/command/cli"
)

// usualConfig is where an installation has its configuration.
const usualConfig = "/etc/serai"

// doctorWait is how long the first question to an agent may take.
const doctorWait = 5 * time.Second

func doctorCommand() *cli.Command {
	var (
		format cli.Format
		paths  []string
		all    bool
		write  bool
	)
	return &cli.Command{
		Name: "doctor", Synopsis: "Look for what is wrong with an installation, and how to mend it", Usage: "[options]",
		Help: `Looks at the configuration, at who may read its files and keys, at certificates, exposure, disk, limits, clock and kernel of this machine, and, when an agent answers, at the cluster around it. It changes nothing. Run it on each machine, as root.

Without -config it reads ` + usualConfig + ` when that is there. The exit code is 0 when all is well, 1 when there are warnings and 2 when there are errors.`,
		Define: func(f *cli.Flags) {
			format.Define(f)
			f.Strings(&paths, "config", "<path>", "Configuration file or folder of the agent. May be given many times; later ones win.")
			f.Bool(&all, "all", "Show also what is in order.")
			f.Bool(&write, "measure-disk", "Measure how long the disk of a server takes to keep 4 KiB, with a small file that is removed again: the one thing that is written.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if _, err := os.Stat(usualConfig); err == nil && len(paths) == 0 {
				paths = []string{usualConfig}
			}
			s, err := doctorSubject(ctx, inv, paths)
			if err != nil {
				return err
			}
			if write {
				s.Host.Fsync = doctor.MeasureFsync
			}
			r := doctor.Examine(ctx, *s)
			if format.Wanted() {
				if err := format.Write(inv.Stdout, r); err != nil {
					return err
				}
			} else {
				showReport(inv, r, all)
			}
			if r.Code() != 0 {
				return cli.ExitCode(r.Code())
			}
			return nil
		},
	}
}

// doctorSubject reads what there is to look at.
func doctorSubject(ctx context.Context, inv *cli.Invocation, paths []string) (*doctor.Subject, error) {
	s := &doctor.Subject{Host: doctor.ThisHost()}
	if len(paths) > 0 {
		c := config.Default()
		s.Config, s.Problems = c, c.Load(paths...)
		if err := c.Finish(); err != nil {
			if s.Problems != nil {
				err = together(s.Problems, err)
			}
			s.Problems = err
		}
	}
	conn := *inv.Conn
	if conn.Address == "" {
		conn.Address = api.DefaultAddress
		if s.Config != nil {
			nearby(&conn, s.Config)
		}
	}
	dial := func(address string) (*session, error) {
		there, c := *inv, conn
		c.Address = address
		there.Conn = &c
		return open(&there)
	}
	at, err := dial(conn.Address)
	if err != nil {
		return nil, err
	}
	s.Address = conn.Address
	s.Dial = func(address string) (*api.Client, error) {
		other, err := dial(address)
		if err != nil {
			return nil, err
		}
		return other.client, nil
	}
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	if _, err := call(ctx, at, api.AgentSelf, api.ListRequest{}); err != nil {
		s.Refused = err
	} else {
		s.Agent = at.client
	}
	return s, nil
}

// showReport writes the findings for people.
func showReport(inv *cli.Invocation, r *doctor.Report, all bool) {
	counts := map[doctor.Level]int{}
	for _, f := range r.Findings {
		counts[f.Level]++
		switch f.Level {
		case doctor.Error:
			inv.Printf("%s  %s: %s", inv.Style.Red("ERROR"), inv.Style.Bold(f.Check), f.What)
		case doctor.Warn:
			inv.Printf("%s   %s: %s", inv.Style.Yellow("WARN"), inv.Style.Bold(f.Check), f.What)
		default:
			if all {
				inv.Printf("%s     %s: %s", inv.Style.Green("OK"), f.Check, f.What)
			}
		}
		if f.Mend != "" {
			inv.Printf("       mend: %s", f.Mend)
		}
	}
	if counts[doctor.Error]+counts[doctor.Warn] > 0 || all {
		inv.Printf("")
	}
	inv.Printf("%d errors, %d warnings, %d in order", counts[doctor.Error], counts[doctor.Warn], counts[doctor.OK])
}

// nearby completes a connection to the agent of a configuration on this machine.
func nearby(conn *cli.Connection, c *config.Agent) {
	host := c.Addresses.HTTP
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if c.TLS.HTTP {
		scheme = "https"
		if conn.CACert == "" && conn.CAPath == "" {
			conn.CACert = c.TLS.CAFile
		}
		if c.TLS.VerifyHTTPSClient && conn.ClientCert == "" && conn.ClientKey == "" {
			conn.ClientCert, conn.ClientKey = c.TLS.CertFile, c.TLS.KeyFile
		}
	}
	conn.Address = scheme + "://" + net.JoinHostPort(host, strconv.Itoa(c.Ports.HTTP))
}
