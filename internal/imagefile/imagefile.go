// Package imagefile writes container images as archives of the kind that "docker save" makes, without any of docker's code. Tests and examples make
// their images with it. It holds no state.
package imagefile

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Entry is one file of a layer.
type Entry struct {
	// Name is the path, without a slash in front.
	Name string
	// Type is one of tar's kinds; 0 is a regular file.
	Type byte
	Mode int64
	// Body of a regular file, Link of a link.
	Body []byte
	Link string
	UID  int
	GID  int
	// Major and Minor of a device.
	Major, Minor int64
}

// Config is what an image says about its program.
type Config struct {
	Entrypoint []string `json:",omitempty"`
	Cmd        []string `json:",omitempty"`
	Env        []string `json:",omitempty"`
	User       string   `json:",omitempty"`
	WorkingDir string   `json:",omitempty"`
	StopSignal string   `json:",omitempty"`
}

// Write writes the image called name ("app:1") with these layers, lowest first.
func Write(w io.Writer, name string, c Config, layers ...[]Entry) error {
	type rootfs struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	files := map[string][]byte{}
	fs := rootfs{Type: "layers"}
	var names []string
	for i, l := range layers {
		text, err := pack(l)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		fs.DiffIDs = append(fs.DiffIDs, "sha256:"+hex.EncodeToString(sum[:]))
		names = append(names, fmt.Sprintf("layer%d.tar", i))
		files[names[i]] = text
	}
	config, err := json.Marshal(map[string]any{"architecture": runtime.GOARCH, "os": "linux", "config": c, "rootfs": fs})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(config)
	file := hex.EncodeToString(sum[:]) + ".json"
	files[file] = config
	manifest, err := json.Marshal([]any{map[string]any{"Config": file, "RepoTags": []string{name}, "Layers": names}})
	if err != nil {
		return err
	}
	all := []Entry{{Name: "manifest.json", Body: manifest}, {Name: file, Body: config}}
	for _, n := range names {
		all = append(all, Entry{Name: n, Body: files[n]})
	}
	text, err := pack(all)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func pack(entries []Entry) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.Name, Typeflag: e.Type, Mode: e.Mode, Size: int64(len(e.Body)), Linkname: e.Link, Uid: e.UID, Gid: e.GID,
			Devmajor: e.Major, Devminor: e.Minor}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		if _, err := t.Write(e.Body); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	return b.Bytes(), t.Close()
}

// applets are the programs that Busybox has as links.
const applets = "sh cat ls echo id sleep touch mount umount mkdir rmdir rm ln mv cp grep head tail env pwd hostname kill wc mknod unshare chroot dd stat test true false tr " +
	"cut seq find readlink df ps nc wget httpd printf chmod chown dmesg stty tty sort ip awk sed date od yes sync uname trap nslookup"

// Busybox is a layer with the host's busybox, which must be a static one (Debian: busybox-static), and an /etc with users.
func Busybox() ([]Entry, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, fmt.Errorf("images for tests are made from busybox-static: %w", err)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := []Entry{{Name: "bin", Type: tar.TypeDir}, {Name: "bin/busybox", Body: body}, {Name: "etc", Type: tar.TypeDir}, {Name: "root", Type: tar.TypeDir},
		{Name: "tmp", Type: tar.TypeDir, Mode: 0o1777}, {Name: "home", Type: tar.TypeDir}, {Name: "home/web", Type: tar.TypeDir, UID: 1000, GID: 1001},
		{Name: "etc/passwd", Mode: 0o644, Body: []byte("root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")},
		{Name: "etc/group", Mode: 0o644, Body: []byte("root:x:0:\nweb:x:1001:\nlogs:x:1002:web\nnogroup:x:65534:\n")}}
	for name := range strings.FieldsSeq(applets) {
		out = append(out, Entry{Name: "bin/" + name, Type: tar.TypeSymlink, Link: "busybox"})
	}
	return out, nil
}
