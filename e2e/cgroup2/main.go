package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// limit is how long the guest may take.
const limit = time.Hour

func main() {
	names := flag.String("lanes", ".", "run the lanes whose names match")
	run := flag.String("run", "", "run these tests of them, and not the usual ones")
	verbose := flag.Bool("v", false, "tell of every test")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := do(ctx, *names, *run, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "cgroup2:", err)
		os.Exit(1)
	}
}

func do(ctx context.Context, names, run string, verbose bool) error {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return errors.New("QEMU is not here: run make test-deps")
	}
	chosen, err := choose(names, run)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "serai-cgroup2-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var programs []string
	for _, l := range chosen {
		path, err := l.build(ctx, dir)
		if err != nil {
			return err
		}
		programs = append(programs, path)
	}
	kernel, initrd, err := prepare(dir, chosen, programs, verbose)
	if err != nil {
		return err
	}
	image, err := disk(ctx, dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was given up after %v", limit))
	defer cancel()
	r, w := io.Pipe()
	booted := make(chan error, 1)
	go func() {
		err := boot(ctx, kernel, initrd, image, w)
		_ = w.Close()
		booted <- err
	}()
	ends := follow(r, os.Stdout)
	return errors.Join(<-booted, judge(chosen, ends))
}

// follow copies what the guest says and keeps how its lanes ended, by "lane arrangement", and which groups they have left, by "left".
func follow(r io.Reader, w io.Writer) map[string]string {
	ends := map[string]string{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := strings.TrimRight(lines.Text(), "\r")
		fmt.Fprintln(w, line)
		if f := strings.Fields(line); len(f) == 5 && f[0] == "guest:" && f[1] == "end" {
			ends[f[2]+" "+f[3]] = f[4]
		} else if len(f) == 3 && f[0] == "guest:" && f[1] == "left" {
			ends["left"] += " " + f[2]
		}
	}
	return ends
}

// judge is nil when every lane has ended well in every arrangement.
func judge(chosen []lane, ends map[string]string) error {
	var errs []error
	if ends["left"] != "" {
		errs = append(errs, fmt.Errorf("control groups of tasks are left:%s", ends["left"]))
	}
	for _, l := range chosen {
		for _, how := range arrangements {
			switch code, told := ends[l.name+" "+how]; {
			case l.pattern(how) == "":
			case !told:
				errs = append(errs, fmt.Errorf("lane %s (%s) has not ended", l.name, how))
			case code != "0":
				errs = append(errs, fmt.Errorf("lane %s (%s) failed: exit code %s", l.name, how, code))
			}
		}
	}
	return errors.Join(errs...)
}
