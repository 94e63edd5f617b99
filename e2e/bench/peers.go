package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/stream"

	"github.com/seraihq/serai/drivers/docker/enginetest"
)

// busyboxRoot unpacks the root that all containers here run on.
func busyboxRoot(dir string) (string, error) {
	archive, err := enginetest.Busybox()
	if err != nil {
		return "", fmt.Errorf("busybox: %w", err)
	}
	root := filepath.Join(dir, "bundle", "rootfs")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("tar", "-x", "-C", root)
	cmd.Stdin = bytes.NewReader(archive)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("tar: %w: %s", err, out)
	}
	for _, p := range []string{"proc", "sys", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, p), 0o755); err != nil {
			return "", err
		}
	}
	return root, nil
}

// runc runs on a bundle as `runc spec` writes it.
func runc(dir, root string) (*way, error) {
	if _, err := exec.LookPath("runc"); err != nil {
		return nil, errors.New("runc is not installed")
	}
	bundle := filepath.Dir(root)
	if out, err := exec.Command("runc", "spec", "--bundle", bundle).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("runc spec: %w: %s", err, out)
	}
	path := filepath.Join(bundle, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var spec map[string]any
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	process, _ := spec["process"].(map[string]any)
	if process == nil {
		return nil, errors.New("runc spec writes no process")
	}
	process["args"], process["terminal"] = []string{"/bin/true"}, false
	delete(process, "rlimits") // not every root may raise them
	if text, err = json.Marshal(spec); err != nil {
		return nil, err
	}
	w := command("`runc run`", nil, "runc", "--root", filepath.Join(dir, "runc"), "run", "--bundle", bundle, fmt.Sprintf("bench-%d", os.Getpid()))
	return w, os.WriteFile(path, text, 0o600)
}

// podman runs on the same root, without limits that not every root may raise.
func podman(dir, root string) (*way, error) {
	if _, err := exec.LookPath("podman"); err != nil {
		return nil, errors.New("podman is not installed")
	}
	conf := filepath.Join(dir, "containers.conf")
	err := os.WriteFile(conf, []byte("[containers]\ndefault_ulimits=[\"nofile=1024:2048\",\"nproc=1024:2048\"]\n[engine]\nruntime=\"runc\"\ncgroup_manager=\"cgroupfs\"\nevents_logger=\"file\"\n"), 0o600)
	w := command("`podman run`", []string{"CONTAINERS_CONF=" + conf}, "podman", "--root", filepath.Join(dir, "podman"), "--runroot", filepath.Join(dir, "podman-run"),
		"run", "--rm", "--network", "none", "--rootfs", root, "/bin/true")
	w.cpu = nil // a part of it is done by processes that nobody waits for
	return w, err
}

// engine is a Docker Engine of our own.
type engine struct{ *enginetest.Engine }

func startEngine() (*engine, error) {
	if why := enginetest.Missing(); why != "" {
		return nil, errors.New("docker: " + why)
	}
	e, err := enginetest.Start()
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	return &engine{e}, nil
}

func (e *engine) endpoint() string { return "unix://" + e.Socket }

func (e *engine) image() string { return enginetest.Image }

// run is docker run; its end is the engine's.
func (e *engine) run() *way {
	w := command("`docker run`", nil, "docker", "-H", e.endpoint(), "run", "--rm", "--network", "none", e.image(), "true")
	w.cpu = nil // that is the engine's
	w.end = func() {
		if err := e.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "docker engine:", err)
		}
	}
	return w
}

// hub is a registry on loopback with one image, busybox.
type hub struct {
	*httptest.Server
	ref string
}

func newHub() (*hub, error) {
	archive, err := enginetest.Busybox()
	if err != nil {
		return nil, fmt.Errorf("busybox: %w", err)
	}
	h := &hub{Server: httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))}
	h.ref = strings.TrimPrefix(h.URL, "http://") + "/bench/busybox:1"
	ref, err := name.ParseReference(h.ref, name.Insecure)
	if err == nil {
		layer := stream.NewLayer(io.NopCloser(bytes.NewReader(archive)))
		if image, appendErr := mutate.AppendLayers(empty.Image, layer); appendErr != nil {
			err = appendErr
		} else {
			err = remote.Write(ref, image)
		}
	}
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("registry: %w", err)
	}
	return h, nil
}

// host is the registry's address without the scheme.
func (h *hub) host() string { return strings.TrimPrefix(h.URL, "http://") }

// container is a way through serai's own container driver; the image is on the node after the first round.
func (b *bench) container(ctx context.Context, dir string) (*way, error) {
	h, err := newHub()
	if err != nil {
		return nil, err
	}
	w, err := b.driver(ctx, dir, "container", map[string]any{"image_dir": filepath.Join(dir, "images"), "insecure_registries": []any{h.host()}},
		map[string]any{"image": h.ref, "command": "true"})
	if err != nil {
		h.Close()
		return nil, err
	}
	end := w.end
	w.end = func() { end(); h.Close() }
	return w, nil
}
