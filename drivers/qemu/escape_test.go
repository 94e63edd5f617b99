package qemu

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/landlock"
	"github.com/seraihq/serai/drivers/qemu/qemutest"
)

// refused starts a job that must not start.
func refused(t *testing.T, what string, d *Driver, j *job) {
	t.Helper()
	if _, err := d.Start(t.Context(), j.TaskConfig); err == nil || drivers.IsRecoverable(err) {
		t.Errorf("%s: %v", what, err)
		_ = d.Destroy(t.Context(), j.ID, true)
	}
}

// TestEscapeArguments: a job author's arguments pass only where the operator has listed them.
func TestEscapeArguments(t *testing.T) {
	need(t)
	closed := driver(t, nil)
	open := driver(t, map[string]any{"args_allowlist": []any{"-device virtio-rng*", "-enable-kvm", "-snapshot", "-sandbox", "-daemonize", "-name"}})
	j := newJob(t, map[string]any{})
	j.Config["image_path"] = j.put(t, "disk.img", sector(t, qemutest.Sector{}))
	for _, args := range [][]any{
		{"-drive", "file=/etc/shadow,format=raw"}, {"-chardev", "file,id=x,path=/tmp/x"}, {"-monitor", "tcp:0.0.0.0:4444,server"},
		{"-fw_cfg", "name=opt/x,file=/etc/shadow"}, {"-virtfs", "local,path=/,mount_tag=x,security_model=none"}, {"--virtfs", "local,path=/"},
		{"-netdev", "tap,id=x,script=/tmp/evil"}, {"-sandbox", "off"}, {"-runas", "root"}, {"-daemonize"}, {"-readconfig", "/etc/shadow"},
		{"-device", "virtio-blk-pci,drive=x"}, {"-hda", "/etc/shadow"}, {"/etc/shadow"}, {"-snapshot", "/etc/shadow"}, {"-"}, {"--"}, {""},
		{"-enable-kvm", "/etc/shadow"}, {"-name", "-sandbox", "off"}, {"-device"}, {"-name", "-snapshot"}, {"-device", "virtio-rng-pci\x00"},
	} {
		j.Config["args"] = args
		refused(t, fmt.Sprint("closed: ", args), closed, j)
		refused(t, fmt.Sprint("open: ", args), open, j)
	}
	if _, err := arguments([]string{"--device", "virtio-rng-pci", "-snapshot", "-name", "x"}, open.settings().ArgsAllowlist); err != nil {
		t.Error(err)
	}
}

// TestEscapeWords: what a job author writes begins no further property of an option, and no other program.
func TestEscapeWords(t *testing.T) {
	need(t)
	d := driver(t, nil)
	j := newJob(t, map[string]any{})
	for field, values := range map[string][]any{
		"machine_type":    {"pc,dumpdtb=/tmp/x", "pc,kernel=/etc/shadow", "pc,accel=kvm", "-sandbox", ""},
		"drive_interface": {"ide,file=/etc/shadow", "none,id=x", "json:{}"},
		"network_device":  {"virtio-net-pci,romfile=/etc/shadow", "help"[:0]},
		"accelerator":     {"tcg,tb-size=100000", "xen"},
		"emulator":        {"/bin/sh", "sh", "../../bin/sh", "qemu-system-x86_64 -S", "qemu-system-../sh", "qemu-img"},
		"image_format":    {"vmdk", "raw,file.filename=/etc/shadow", "luks"},
		"cpus":            {-1, 100000},
	} {
		for _, v := range values {
			j.Config = map[string]any{"image_path": j.put(t, "disk.img", sector(t, qemutest.Sector{})), field: v}
			refused(t, fmt.Sprintf("%s = %q", field, v), d, j)
		}
	}
	j.Config = map[string]any{"image_path": "local/disk.img"}
	if os.Geteuid() == 0 {
		for _, user := range []string{"root", "0", "0:0"} {
			j.User = user
			refused(t, "user "+user, d, j)
		}
	}
}

// TestEscapeImagePath: a job's files are its own or the operator's, also by way of links, and are plain files.
func TestEscapeImagePath(t *testing.T) {
	need(t)
	allowed, outside := t.TempDir(), t.TempDir()
	image := sector(t, qemutest.Sector{})
	for _, p := range []string{filepath.Join(outside, "host.img"), filepath.Join(allowed, "fine.img")} {
		if err := os.WriteFile(p, image, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := driver(t, map[string]any{"image_paths": []any{allowed}})
	j := newJob(t, map[string]any{})
	local := j.TaskDir().Local
	j.put(t, "disk.img", image)
	for name, target := range map[string]string{
		"abs": filepath.Join(outside, "host.img"), "dir": outside, "rel": "../../../../../../../../../../etc/passwd", "proc": "/proc/self/root/etc/passwd",
		"magic": "/proc/self/fd/0", "private": "../private/x",
	} {
		if err := os.Symlink(target, filepath.Join(local, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "host.img"), filepath.Join(allowed, "link.img")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(j.TaskDir().Private, "x"), image, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(local, "fifo"), 0o666); err != nil {
		t.Fatal(err)
	}
	names := []string{filepath.Join(outside, "host.img"), "/etc/passwd", "local/abs", "local/dir/host.img", "local/rel", "local/proc", "local/magic/0",
		"local/magic", "local/private", "private/x", "local/../private/x", "../other/local/x", "local/fifo", "local", "/dev/zero", "/dev/sda", "/proc/kcore",
		"/proc/self/mem", "", "local/disk.img\x00", filepath.Join(allowed, "link.img"), allowed, allowed + "/../" + filepath.Base(outside) + "/host.img",
		"json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}", "nbd://127.0.0.1/x", "fat:rw:/etc", "http://127.0.0.1/x"}
	for _, name := range names {
		j.Config = map[string]any{"image_path": name}
		refused(t, "image_path "+name, d, j)
		j.Config = map[string]any{"kernel": name}
		refused(t, "kernel "+name, d, j)
		if name != "" {
			j.Config = map[string]any{"kernel": "local/disk.img", "initrd": name}
			refused(t, "initrd "+name, d, j)
		}
	}
	// The task's directory itself turned into a link.
	if err := os.Rename(local, local+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, local); err != nil {
		t.Fatal(err)
	}
	j.Config = map[string]any{"image_path": "local/host.img"}
	refused(t, "local is a link", d, j)
	for _, p := range []string{filepath.Join(allowed, "fine.img")} {
		f, err := openFile(j.TaskConfig, []string{allowed}, "image_path", p, unix.O_RDWR)
		if err != nil {
			t.Error(err)
		} else {
			_ = f.Close()
		}
	}
}

// qcow2 is a small sound image. Source of the format: QEMU's docs/interop/qcow2.txt.
func qcow2(version uint32) []byte {
	const cluster = 1 << 16
	b := make([]byte, 5*cluster)
	copy(b, "QFI\xfb")
	be := binary.BigEndian
	be.PutUint32(b[4:], version)
	be.PutUint32(b[20:], 16)     // cluster bits
	be.PutUint64(b[24:], 16<<20) // size
	be.PutUint32(b[36:], 1)      // entries of level 1
	be.PutUint64(b[40:], 3*cluster)
	be.PutUint64(b[48:], 1*cluster) // table of reference counts
	be.PutUint32(b[56:], 1)
	if version == 3 {
		be.PutUint32(b[96:], 4) // counts have 16 bits
		be.PutUint32(b[100:], 104)
	}
	be.PutUint64(b[cluster:], 2*cluster)
	for i := range 4 {
		be.PutUint16(b[2*cluster+2*i:], 1)
	}
	return b
}

// lead makes an image lead to another file, as its backing file.
func lead(image []byte, to string) []byte {
	out := append([]byte(nil), image...)
	binary.BigEndian.PutUint64(out[8:], 512)
	binary.BigEndian.PutUint32(out[16:], uint32(len(to)))
	copy(out[512:], to)
	return out
}

// TestEscapeImageHeader: an image that leads to other files is refused, however it says so.
func TestEscapeImageHeader(t *testing.T) {
	need(t)
	d := driver(t, nil)
	j := newJob(t, map[string]any{})
	dataFile := qcow2(3)
	dataFile[79] |= featureDataFile
	future := qcow2(3)
	future[72] = 1
	encrypted := qcow2(2)
	encrypted[35] = 1
	for name, image := range map[string][]byte{
		"backing": lead(qcow2(2), "/etc/shadow"), "backing 3": lead(qcow2(3), `json:{"driver":"file","filename":"/etc/shadow"}`), "data file": dataFile,
		"unknown feature": future, "encrypted": encrypted, "qcow 1": qcow2(1), "qcow 4": qcow2(4), "cut": qcow2(2)[:40], "cut 3": qcow2(3)[:90], "empty": {},
		"vmdk": []byte("# Disk DescriptorFile\nversion=1\nRW 63 FLAT \"/etc/shadow\" 0\n"), "vmdk 4": []byte("KDMV\x01\x00\x00\x00"), "vhdx": []byte("vhdxfile"),
		"vdi": []byte("<<< Oracle VM VirtualBox Disk Image >>>\n"), "luks": []byte("LUKS\xba\xbe\x00\x01"), "qed": []byte("QED\x00"),
	} {
		j.Config = map[string]any{"image_path": j.put(t, "disk.img", image)}
		refused(t, name, d, j)
		if name != "empty" {
			j.Config["image_format"] = formatQcow2
			refused(t, name+" as qcow2", d, j)
		}
	}
}

// TestEscapeHeaderSwapped: the header of an image is rewritten between the look at it and QEMU's, as another task of the allocation could. QEMU then
// takes no backing file, and can open no other.
func TestEscapeHeaderSwapped(t *testing.T) {
	need(t)
	d := driver(t, nil)
	target := filepath.Join(t.TempDir(), "host.img") // readable for all, as far as the file itself goes
	if err := os.WriteFile(target, sector(t, qemutest.Sector{Text: "stolen\n"}), 0o644); err != nil {
		t.Fatal(err)
	}
	for p := filepath.Dir(target); p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o755)
	}
	dataFile := lead(qcow2(3), target)
	binary.BigEndian.PutUint64(dataFile[8:], 0)
	dataFile[79] |= featureDataFile
	// The extension that names the data file follows the header.
	binary.BigEndian.PutUint32(dataFile[104:], 0x44415441)
	binary.BigEndian.PutUint32(dataFile[108:], uint32(len(target)))
	copy(dataFile[112:], target)
	for name, evil := range map[string][]byte{"backing": lead(qcow2(3), target), "data file": dataFile} {
		j := newJob(t, map[string]any{})
		j.Config["image_path"] = j.put(t, "disk.img", qcow2(3))
		m, c, err := d.plan(t.Context(), j.TaskConfig, d.settings())
		if err != nil {
			t.Fatal(err)
		}
		j.put(t, "disk.img", evil)
		if err := m.openSockets(j.ID); err != nil {
			t.Fatal(err)
		}
		task, proc, err := d.launch(t.Context(), j.TaskConfig, m, c)
		m.close()
		if err != nil {
			t.Fatal(err)
		}
		h, err := d.Begin(task, proc)
		if err != nil {
			t.Fatal(err)
		}
		if name == "backing" {
			if answer := human(t, h, "info block"); strings.Contains(answer, target) || !strings.Contains(answer, "fdset") {
				t.Errorf("%s: %s", name, answer)
			}
		} else if landlock.Version() > 0 {
			if r, err := d.Wait(t.Context(), j.ID); err != nil || r.Successful() || !strings.Contains(j.read(), "Permission denied") {
				t.Errorf("%s: %+v %v: %s", name, r, err, j.read())
			}
		}
		if err := d.Destroy(t.Context(), j.ID, true); err != nil {
			t.Error(err)
		}
		if strings.Contains(j.read(), "stolen") {
			t.Errorf("%s: the guest read a file of the node", name)
		}
	}
}

// TestEscapeProcess: QEMU has no rights, no new ones to gain, none of the job's environment, no files but its own, and nobody else reaches its monitor.
func TestEscapeProcess(t *testing.T) {
	need(t)
	if os.Geteuid() != 0 {
		t.Skip("not here: it takes root to be somebody else")
	}
	t.Setenv("NOMAD_TOKEN", "a secret of the agent")
	d := driver(t, nil)
	j := newJob(t, map[string]any{})
	j.Env = map[string]string{"LD_PRELOAD": "local/evil.so", "SECRET": "of the job"}
	j.Config["image_path"] = j.put(t, "disk.img", sector(t, qemutest.Sector{Text: "ready\n", RunFor: time.Minute}))
	j.start(t, d)
	j.says(t, d, "ready")
	st, err := d.Inspect(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	proc := "/proc/" + st.Attributes["pid"]
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "CapInh:\t0000000000000000",
		"CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(string(status), want+"\n") {
			t.Errorf("its status lacks %q:\n%s", want, status)
		}
	}
	environ, err := os.ReadFile(proc + "/environ")
	if err != nil || strings.Contains(string(environ), "SECRET") || strings.Contains(string(environ), "LD_PRELOAD") || strings.Contains(string(environ), "NOMAD") {
		t.Errorf("environment %q %v", environ, err)
	}
	fds, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		target, _ := os.Readlink(filepath.Join(proc, "fd", fd.Name()))
		if strings.HasPrefix(target, "/") && !strings.HasPrefix(target, j.AllocDir) && target != "/dev/null" && target != "/dev/random" && target != "/dev/urandom" {
			t.Errorf("it holds %s", target)
		}
	}
	if info, err := os.Stat(mustDir(t)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can reach the monitor: %v %v", info.Mode(), err)
	}
	if pid, _ := strconv.Atoi(st.Attributes["pid"]); !inGroup(pid) {
		t.Error("it is in no group of its own")
	}
}

func inGroup(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return err == nil && strings.Contains(string(b), "serai/alloc-")
}

// TestEscapeQEMU: what a guest that has taken over QEMU can do, done through its monitor: start programs, write and read files of the node.
func TestEscapeQEMU(t *testing.T) {
	need(t)
	if landlock.Version() == 0 {
		t.Skip("not here: this kernel has no Landlock")
	}
	d := driver(t, nil)
	open := t.TempDir()
	for p := open; p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o777)
	}
	if err := os.WriteFile(filepath.Join(open, "public"), make([]byte, 4096), 0o666); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(filepath.Join(open, "public"), 0o666)
	for command, told := range map[string]string{ // and what QEMU says, where it does
		`migrate \"exec:touch ` + open + `/made\"`:                         "", // its filter ends it
		`pmemsave 0 4096 \"` + open + `/made\"`:                            "Permission denied",
		"dump-guest-memory " + open + "/made":                              "Permission denied",
		"chardev-add file,id=x,path=" + open + "/made":                     "Permission denied",
		"snapshot_blkdev ide0-hd0 " + open + "/made qcow2":                 "Permission denied",
		"logfile " + open + "/made":                                        "",
		"drive_add 0 if=none,id=x,format=raw,file=" + open + "/public":     "Permission denied",
		"drive_add 0 if=none,id=x,format=raw,readonly=on,file=/etc/passwd": "Permission denied",
	} {
		j := newJob(t, map[string]any{})
		j.Config["image_path"] = j.put(t, "disk.img", sector(t, qemutest.Sector{Text: "ready\n", RunFor: time.Minute}))
		h := j.start(t, d)
		j.says(t, d, "ready")
		if answer, err := ask(t, h, command); err == nil && !strings.Contains(answer+j.read(), told) {
			t.Errorf("%s: %s", command, answer)
		}
		if _, err := os.Stat(filepath.Join(open, "made")); err == nil {
			t.Errorf("%s: QEMU made a file on the node", command)
		}
		if err := d.Destroy(t.Context(), j.ID, true); err != nil {
			t.Error(err)
		}
	}
}
