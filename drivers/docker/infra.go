package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/failpoint"
)

// pauseImage is the image of the containers that hold networks, when the operator names no other. The driver makes it itself: one program of a few
// bytes that does nothing.
const pauseImage = "serai-pause:1"

// enginePatience is how long a group's network waits for an engine that does not answer.
const enginePatience = 15 * time.Second

func infraName(allocID string) string { return "serai-network-" + allocID }

// CreateNetwork implements drivers.Networker: an engine enters no namespace but that of a container, so one that does nothing holds the group's.
func (d *Driver) CreateNetwork(ctx context.Context, allocID, hostname string) (*drivers.NetworkIsolation, bool, error) {
	if path := pinPath(allocID); d.settings.Load().Fallback && (pinned(path) || !d.engineThere(ctx)) {
		return createPin(path, hostname)
	}
	cli, err := d.awaitEngine(ctx)
	if err != nil {
		return nil, false, err
	}
	name := infraName(allocID)
	c, err := cli.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	switch {
	case err == nil && c.Container.Config.Labels[labelInfra] != allocID:
		return nil, false, fmt.Errorf("container name %s is taken by another container: remove it", name)
	case err == nil && c.Container.State != nil && c.Container.State.Running:
		spec, err := sandbox(c.Container, hostname)
		return spec, false, err
	case err == nil: // its network went with it
		if err := remove(ctx, cli, c.Container.ID); err != nil {
			return nil, false, err
		}
	case !gone(err):
		return nil, false, err
	}
	spec, err := d.createInfra(ctx, cli, allocID, hostname)
	if err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), killPatience)
		defer cancel()
		_ = remove(undo, cli, name)
		return nil, false, fmt.Errorf("network of allocation %s: %w", allocID, err)
	}
	return spec, true, nil
}

// awaitEngine gives an engine that is being restarted a moment.
func (d *Driver) awaitEngine(ctx context.Context) (*client.Client, error) {
	deadline := time.NewTimer(enginePatience)
	defer deadline.Stop()
	for {
		cli, _, err := d.engine.ready(ctx)
		if err == nil {
			if _, err = cli.Ping(ctx, client.PingOptions{}); err == nil {
				return cli, nil
			}
			err = d.engine.explain(err)
		}
		if !client.IsErrConnectionFailed(err) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-deadline.C:
			return nil, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (d *Driver) createInfra(ctx context.Context, cli *client.Client, allocID, hostname string) (*drivers.NetworkIsolation, error) {
	image, err := d.infraImage(ctx, cli)
	if err != nil {
		return nil, err
	}
	pids := int64(16)
	c, err := cli.ContainerCreate(ctx, client.ContainerCreateOptions{Name: infraName(allocID),
		Config: &container.Config{Image: image, Hostname: hostname,
			Labels: map[string]string{labelOwner: Name, labelInfra: allocID, labelAlloc: allocID}},
		HostConfig: &container.HostConfig{NetworkMode: "none", CapDrop: []string{"ALL"}, ReadonlyRootfs: true,
			SecurityOpt: []string{"no-new-privileges"}, Resources: container.Resources{PidsLimit: &pids},
			LogConfig: container.LogConfig{Type: "none"}, RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled}}})
	if err != nil {
		return nil, err
	}
	failpoint.Kill("docker:network created")
	if _, err := cli.ContainerStart(ctx, c.ID, client.ContainerStartOptions{}); err != nil {
		return nil, err
	}
	running, err := cli.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
	if err != nil {
		return nil, err
	}
	return sandbox(running.Container, hostname)
}

// sandbox is the network of a container: by the engine's file for it, or else by that of its process.
func sandbox(c container.InspectResponse, hostname string) (*drivers.NetworkIsolation, error) {
	out := &drivers.NetworkIsolation{Mode: drivers.NetworkGroup, Hostname: hostname, Labels: map[string]string{labelSandbox: c.ID}}
	if c.NetworkSettings != nil {
		out.Path = c.NetworkSettings.SandboxKey
	}
	if _, err := os.Stat(out.Path); err == nil && out.Path != "" {
		return out, nil
	}
	if c.State != nil && c.State.Pid > 0 {
		out.Path = fmt.Sprintf("/proc/%d/ns/net", c.State.Pid)
		if _, err := os.Stat(out.Path); err == nil {
			return out, nil
		}
	}
	return nil, fmt.Errorf("the network namespace of container %s cannot be found on this host: the engine must run on it", c.Name)
}

// DestroyNetwork implements drivers.Networker.
func (d *Driver) DestroyNetwork(ctx context.Context, allocID string, spec *drivers.NetworkIsolation) error {
	if there, err := removePin(pinPath(allocID)); there || err != nil {
		return err
	}
	if held := spec != nil && spec.Labels[labelSandbox] != ""; !held && d.settings.Load().Fallback && !d.engineThere(ctx) {
		return nil // there is no engine that could hold it
	}
	cli, _, err := d.engine.ready(ctx)
	if err != nil {
		return err
	}
	if err := removeLabelled(ctx, cli, labelInfra+"="+allocID); err != nil {
		return fmt.Errorf("network of allocation %s: %w", allocID, err)
	}
	return nil
}

// infraImage is the ID of the image for containers that hold networks.
func (d *Driver) infraImage(ctx context.Context, cli *client.Client) (string, error) {
	settings := d.settings.Load()
	if settings.InfraImage != "" {
		auth, err := settings.credentials(ctx, settings.InfraImage, jobAuth{})
		if err != nil {
			return "", err
		}
		return d.ensure(ctx, cli, request{image: settings.InfraImage, auth: auth, timeout: time.Duration(settings.InfraTimeout),
			activity: time.Duration(settings.PullActivity), tell: func(text string) { d.logger.Info(text) }})
	}
	have, err := cli.ImageInspect(ctx, pauseImage)
	if err == nil {
		return have.ID, nil
	}
	if !gone(err) {
		return "", err
	}
	info, err := cli.Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", err
	}
	archive, err := pauseArchive(info.Info.Architecture)
	if err != nil {
		return "", err
	}
	resp, err := cli.ImageImport(ctx, client.ImageImportSource{Source: bytes.NewReader(archive), SourceName: "-"}, pauseImage,
		client.ImageImportOptions{Changes: []string{`ENTRYPOINT ["/pause"]`}})
	if err != nil {
		return "", err
	}
	defer resp.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp, maxCredentials)); err != nil {
		return "", err
	}
	if have, err = cli.ImageInspect(ctx, pauseImage); err != nil {
		return "", err
	}
	return have.ID, nil
}

// pauseArchive is the file system of the image: the program.
func pauseArchive(architecture string) ([]byte, error) {
	program, err := pauseProgram(architecture)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "pause", Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg}); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	return b.Bytes(), w.Close()
}

// Where the program lies in memory, and how long the headers before it are (ELF specification, 64 bit: file header and one program header).
const (
	elfBase    = 0x400000
	elfHeaders = 64 + 56
)

// pauseProgram is an executable that waits for ever.
func pauseProgram(architecture string) ([]byte, error) {
	var machine uint16
	var code []byte
	switch architecture {
	case "x86_64", "amd64":
		machine = 62
		code = []byte{
			0xb8, 34, 0, 0, 0, // again: mov eax, SYS_pause
			0x0f, 0x05, // syscall
			0xeb, 0xf7, // jmp again
		}
	case "aarch64", "arm64":
		machine = 183
		for _, word := range []uint32{
			0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, // again: mov x0..x3, 0
			0xd2800928, // mov x8, SYS_ppoll
			0xd4000001, // svc 0
			0x17fffffa, // b again
		} {
			code = binary.LittleEndian.AppendUint32(code, word)
		}
	default:
		return nil, fmt.Errorf("there is no image for networks on %s: name one with infra_image in the docker plugin's config", architecture)
	}
	le := binary.LittleEndian
	out := append([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, make([]byte, 9)...)
	out = le.AppendUint16(out, 2) // an executable
	out = le.AppendUint16(out, machine)
	out = le.AppendUint32(out, 1)
	out = le.AppendUint64(out, elfBase+elfHeaders) // where it begins
	out = le.AppendUint64(out, 64)                 // the program header comes next
	out = le.AppendUint64(out, 0)
	out = le.AppendUint32(out, 0)
	for _, v := range []uint16{64, 56, 1, 0, 0, 0} {
		out = le.AppendUint16(out, v)
	}
	out = le.AppendUint32(out, 1) // to be loaded
	out = le.AppendUint32(out, 5) // to be read and executed
	size := uint64(elfHeaders + len(code))
	for _, v := range []uint64{0, elfBase, elfBase, size, size, 0x1000} {
		out = le.AppendUint64(out, v)
	}
	return append(out, code...), nil
}
