package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/moby/moby/client"
)

// Busybox is the archive of a root file system: a static busybox, its programs, users, and the directories that programs expect.
func Busybox() ([]byte, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := exec.Command(path, "--list-full").Output()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, dir := range []struct {
		name string
		mode int64
	}{{"bin", 0o755}, {"sbin", 0o755}, {"usr", 0o755}, {"usr/bin", 0o755}, {"usr/sbin", 0o755}, {"etc", 0o755}, {"tmp", 0o1777}, {"root", 0o700}} {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir.name + "/", Mode: dir.mode})
	}
	write := func(name, text string, mode int64) {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(text))})
		_, _ = io.WriteString(w, text)
	}
	write("bin/busybox", string(program), 0o755)
	write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/tmp:/bin/sh\n", 0o644)
	write("etc/group", "root:x:0:\nweb:x:1000:\n", 0o644)
	for name := range strings.FieldsSeq(string(list)) {
		if name = strings.TrimPrefix(name, "/"); name != "bin/busybox" {
			_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: "/bin/busybox", Mode: 0o777})
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// load gives the engine its image.
func (e *Engine) load() error {
	archive, err := Busybox()
	if err != nil {
		return err
	}
	return e.Import(Image, archive, `CMD ["/bin/sh"]`, `ENV IMAGE_VARIABLE=from-the-image`)
}

// Import makes an image out of a root file system.
func (e *Engine) Import(name string, archive []byte, changes ...string) error {
	r, err := e.Client.ImageImport(context.Background(), client.ImageImportSource{Source: bytes.NewReader(archive), SourceName: "-"}, name,
		client.ImageImportOptions{Changes: changes})
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}
