package contain

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seraihq/serai/drivers"
)

// Files returns the texts of the files of /etc that are a task's own: those of its DNS block and of its network's name.
func Files(task *drivers.TaskConfig) map[string]string {
	files := map[string]string{}
	if d := task.DNS; d != nil && len(d.Servers)+len(d.Searches)+len(d.Options) > 0 {
		files["resolv.conf"] = ResolvConf(d)
	}
	if n := task.Network; n != nil && n.Hostname != "" {
		files["hostname"] = line(n.Hostname) + "\n"
		files["hosts"] = Hosts(n.Hostname, n.Address)
	}
	return files
}

// Hosts is an /etc/hosts with the loopback addresses and one name with its address.
func Hosts(name, address string) string {
	if address == "" {
		address = "127.0.1.1"
	}
	return "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + line(address) + " " + line(name) + "\n"
}

// ResolvConf writes a resolver configuration.
func ResolvConf(d *drivers.DNS) string {
	var b strings.Builder
	for _, s := range d.Servers {
		fmt.Fprintf(&b, "nameserver %s\n", line(s))
	}
	if len(d.Searches) > 0 {
		fmt.Fprintf(&b, "search %s\n", line(strings.Join(d.Searches, " ")))
	}
	if len(d.Options) > 0 {
		fmt.Fprintf(&b, "options %s\n", line(strings.Join(d.Options, " ")))
	}
	return b.String()
}

// line keeps a value on one line.
func line(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

// fileMounts are the mounts of a task's own files, which belong to its root already.
func (c *Containers) fileMounts(taskID string, files map[string]string) []Mount {
	var out []Mount
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out = append(out, Mount{Host: filepath.Join(c.files(taskID), name), Task: "/etc/" + name, Readonly: true, Plain: true, Unmapped: true})
	}
	return out
}

// recordFile is where the record of a container is kept. It is the driver's alone, for it has the task's environment.
const recordFile = ".container.json"

// record is what is kept of a container: for commands run beside its program, and for its removal.
type record struct {
	Process Process
	// Scratch is the directory that belongs to the container.
	Scratch string `json:",omitempty"`
	// Group is where its control groups lie, in libcontainer's words.
	Group string `json:",omitempty"`
}

// writeRecord writes down what is known of a container: before anything of it is made, and again when its program is known.
func (c *Containers) writeRecord(taskID string, spec *Spec) error {
	l, err := c.Layout()
	if err != nil {
		return err
	}
	r := record{Process: spec.Process, Scratch: spec.Scratch, Group: groupPath(l, taskID)}
	dir := c.files(taskID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("record of the container: %w", err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	// At once, for a process that dies over it must not leave half a record.
	part := filepath.Join(dir, recordFile+".part")
	if err := errors.Join(os.WriteFile(part, text, 0o600), os.Rename(part, filepath.Join(dir, recordFile))); err != nil {
		return fmt.Errorf("record of the container: %w", err)
	}
	return nil
}

func readRecord(dir string) (record, error) {
	var r record
	text, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, fmt.Errorf("record of the container: %w", err)
	}
	return r, nil
}

// writeFiles writes a task's own files and its record before it starts.
func (c *Containers) writeFiles(taskID string, spec *Spec) error {
	if err := c.writeRecord(taskID, spec); err != nil {
		return err
	}
	for name, text := range spec.Files {
		file := filepath.Join(c.files(taskID), name)
		err := os.WriteFile(file, []byte(text), 0o644)
		if err == nil && spec.Namespaces.users != nil {
			err = os.Chown(file, spec.OnHost(0), spec.OnHost(0))
		}
		if err != nil {
			return fmt.Errorf("/etc/%s of the task: %w", name, err)
		}
	}
	return nil
}
