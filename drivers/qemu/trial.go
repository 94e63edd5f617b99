package qemu

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/internal/pattern"
)

// kvmDevice is where the kernel's virtual machines are had.
const kvmDevice = "/dev/kvm"

// trialGuest is trial.asm assembled: a guest of 512 bytes that turns on paging and 64-bit mode, takes a page fault, and ends QEMU with trialExit.
//
//go:generate sh -c "as --64 -o trial.o trial.asm && ld -Ttext=0x7c00 --oformat binary -e _start -o trial.bin trial.o && rm trial.o"
//go:embed trial.bin
var trialGuest []byte

const (
	trialExit = 33
	// trialPatience is how long the guest may run; it takes about 0.1 s.
	trialPatience = 10 * time.Second
	// trialFactor is how much longer it may take under KVM than without. Where KVM itself is imitated it takes twenty times as long, and real
	// kernels may not start at all.
	trialFactor = 4
)

// accelerator decides how a machine's code runs: as the job says, else by KVM where the trial shows that it works.
func (d *Driver) accelerator(ctx context.Context, wanted string, c *confinement) (string, error) {
	switch {
	case wanted == accelTCG:
		return accelTCG, nil
	case wanted == accelKVM:
		if err := c.openKVM(); err != nil {
			return "", fmt.Errorf("accelerator \"kvm\": %w", err)
		}
		return accelKVM, nil
	case d.kvmWorks(ctx, c) == nil:
		return accelKVM, c.openKVM()
	}
	return accelTCG, nil
}

// openKVM sees to it that QEMU's user can open the device, by its group when need be.
func (c *confinement) openKVM() error {
	var st unix.Stat_t
	if err := unix.Stat(kvmDevice, &st); err != nil {
		return fmt.Errorf("%s is not there: this machine, or the kernel it runs, has no KVM", kvmDevice)
	}
	if c.who == nil {
		return unix.Access(kvmDevice, unix.R_OK|unix.W_OK)
	}
	switch {
	case c.who.UID == 0, st.Mode&0o006 == 0o006, st.Mode&0o600 == 0o600 && st.Uid == c.who.UID:
		return nil
	case st.Mode&0o060 == 0o060 && st.Gid != 0:
		if !slices.Contains(c.who.Groups, st.Gid) {
			c.who.Groups = append(slices.Clone(c.who.Groups), st.Gid)
		}
		return nil
	}
	return fmt.Errorf("%s is closed to QEMU's user %d: give it a group, as in chgrp kvm %[1]s && chmod 660 %[1]s", kvmDevice, c.who.UID)
}

// verdict is what the trial has shown; it is kept for the other processes of the driver until the machine boots or QEMU changes.
type verdict struct {
	Boot, Emulator string
	Changed        time.Time
	User           uint32
	Problem        string
}

// kvmWorks is nil when a trial guest runs under KVM, and about as fast as without.
func (d *Driver) kvmWorks(ctx context.Context, c *confinement) error {
	if runtime.GOARCH != "amd64" || !strings.HasSuffix(c.emulator, "x86_64") {
		return errors.New("there is no trial guest for this machine: write accelerator = \"kvm\" to use it")
	}
	trial := &confinement{emulator: c.emulator, who: c.who}
	if err := trial.openKVM(); err != nil {
		return err
	}
	d.trying.Lock()
	defer d.trying.Unlock()
	now := verdict{Emulator: c.emulator, User: uint32(os.Geteuid())}
	if trial.who != nil {
		now.User = trial.who.UID
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	now.Boot = strings.TrimSpace(string(boot))
	if st, err := os.Stat(c.emulator); err == nil {
		now.Changed = st.ModTime().UTC()
	}
	if kept, ok := readVerdict(); ok {
		problem := kept.Problem
		if kept.Problem = ""; kept == now {
			return problemError(problem)
		}
	}
	err := trial.compare(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		now.Problem = err.Error()
	}
	writeVerdict(now)
	return err
}

func problemError(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

func readVerdict() (verdict, bool) {
	var v verdict
	dir, err := privateDir()
	if err != nil {
		return v, false
	}
	text, err := os.ReadFile(filepath.Join(dir, "kvm.json"))
	return v, err == nil && json.Unmarshal(text, &v) == nil
}

func writeVerdict(v verdict) {
	dir, err := privateDir()
	if err != nil {
		return
	}
	if text, err := json.Marshal(v); err == nil { // without it the next process tries again
		tmp := filepath.Join(dir, fmt.Sprintf("kvm.json.%d", os.Getpid()))
		if os.WriteFile(tmp, text, 0o600) == nil {
			_ = os.Rename(tmp, filepath.Join(dir, "kvm.json"))
		}
	}
}

// compare runs the trial guest without KVM and with it.
func (c *confinement) compare(ctx context.Context) error {
	plain, err := c.run(ctx, accelTCG, trialPatience)
	if err != nil {
		return fmt.Errorf("the trial guest does not run even without KVM: %w", err)
	}
	took, err := c.run(ctx, accelKVM, max(trialFactor*plain, time.Second/2))
	if err != nil {
		return fmt.Errorf("the trial guest does not run under KVM: %w", err)
	}
	if took > trialFactor*plain && took > time.Second/2 {
		return fmt.Errorf("the trial guest took %v under KVM and %v without: it is imitated here", took.Round(time.Millisecond), plain.Round(time.Millisecond))
	}
	return nil
}

// run starts the trial guest, held like any other, and returns how long it ran.
func (c *confinement) run(ctx context.Context, accel string, patience time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	fd, err := unix.MemfdCreate("serai-trial", unix.MFD_CLOEXEC)
	if err != nil {
		return 0, err
	}
	disk := os.NewFile(uintptr(fd), "serai-trial")
	defer disk.Close()
	if _, err := disk.Write(trialGuest); err != nil {
		return 0, err
	}
	again, err := reopen(disk)
	if err != nil {
		return 0, err
	}
	defer again.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	cmd := c.command([]string{"-no-user-config", "-nodefaults", "-sandbox", sandbox, "-display", "none", "-m", "16", "-accel", accel,
		"-add-fd", "fd=3,set=1", "-add-fd", "fd=4,set=1", "-drive", `if=floppy,file=json:{"driver":"raw",,"file":{"driver":"file",,"filename":"/dev/fdset/1"}}`,
		"-device", "isa-debug-exit,iobase=0x501,iosize=1"})
	var text bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles, cmd.Dir = null, null, &text, []*os.File{disk, again}, "/"
	began := time.Now()
	if err := onOwnThread(func() error {
		if err := c.enter(); err != nil {
			return err
		}
		return cmd.Start()
	}); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	stop()
	took := time.Since(began)
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return took, fmt.Errorf("it did not end within %v", patience.Round(time.Millisecond))
	case !ok || exit.ExitCode() != trialExit:
		return took, fmt.Errorf("%w: %.300s", err, strings.TrimSpace(text.String()))
	}
	return took, nil
}

var versionLine = pattern.New(`version ([0-9][0-9A-Za-z.-]*)`)

// version asks the emulator for its version.
func (c *confinement) version(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, trialPatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, c.emulator, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", c.emulator, err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s --version answers %.80q", c.emulator, out)
	}
	return string(m[1]), nil
}
