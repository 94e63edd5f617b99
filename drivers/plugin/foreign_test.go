package plugin

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/base"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

// foreign is a driver of another author, as old as the protocol allows: without Init and Shutdown, without streaming exec, with errors that are
// known by their text alone.
type foreign struct {
	base.UnimplementedBasePluginServer
	driver.UnimplementedDriverServer
	config chan *base.SetConfigRequest
}

func (f *foreign) PluginInfo(context.Context, *base.PluginInfoRequest) (*base.PluginInfoResponse, error) {
	return &base.PluginInfoResponse{Type: base.PluginType_DRIVER, PluginApiVersions: []string{"v0.0.9", apiVersion}, PluginVersion: "v1.2.3", Name: "foreign"}, nil
}

func (f *foreign) ConfigSchema(context.Context, *base.ConfigSchemaRequest) (*base.ConfigSchemaResponse, error) {
	return &base.ConfigSchemaResponse{}, nil
}

func (f *foreign) SetConfig(_ context.Context, req *base.SetConfigRequest) (*base.SetConfigResponse, error) {
	f.config <- req
	return &base.SetConfigResponse{}, nil
}

func (f *foreign) TaskConfigSchema(context.Context, *driver.TaskConfigSchemaRequest) (*driver.TaskConfigSchemaResponse, error) {
	return &driver.TaskConfigSchemaResponse{}, nil
}

func (f *foreign) Capabilities(context.Context, *driver.CapabilitiesRequest) (*driver.CapabilitiesResponse, error) {
	return &driver.CapabilitiesResponse{Capabilities: &driver.DriverCapabilities{Exec: true, MountConfigs: 1}}, nil
}

func (f *foreign) ExecTaskStreaming(driver.Driver_ExecTaskStreamingServer) error {
	return status.Error(codes.Unknown, "driver does not support exec")
}

func (f *foreign) ExecTask(_ context.Context, req *driver.ExecTaskRequest) (*driver.ExecTaskResponse, error) {
	if !req.GetTimeout().IsValid() {
		return nil, errors.New("duration: nil Duration")
	}
	return &driver.ExecTaskResponse{Stdout: []byte(strings.Join(req.GetCommand(), " ")), Stderr: []byte("err"), Result: &driver.ExitResult{ExitCode: 4}}, nil
}

func (f *foreign) WaitTask(context.Context, *driver.WaitTaskRequest) (*driver.WaitTaskResponse, error) {
	return nil, errors.New("task not found for given id")
}

func (f *foreign) CreateNetwork(context.Context, *driver.CreateNetworkRequest) (*driver.CreateNetworkResponse, error) {
	return nil, errors.New("CreateNetwork RPC not supported by driver")
}

func connectForeign(t *testing.T) (*remote, *foreign) {
	t.Helper()
	l := bufconn.Listen(64 << 10)
	f := &foreign{config: make(chan *base.SetConfigRequest, 1)}
	s := grpc.NewServer()
	base.RegisterBasePluginServer(s, f)
	driver.RegisterDriverServer(s, f)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	conn, err := grpc.NewClient("passthrough:///foreign", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r, err := describe(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return r, f
}

func TestForeignDriver(t *testing.T) {
	r, f := connectForeign(t)
	if info := r.Info(); info.Name != "foreign" || info.Version != "v1.2.3" || info.Abilities.Mounts || !info.Abilities.Exec || info.Abilities.FS != drivers.FSNone {
		t.Errorf("%+v", info)
	}
	r.node = Node{MinPort: 14000, MaxPort: 14512, TotalMHz: 6000, ReservedMHz: 500, Cores: []Core{{0, 0}, {1, 0}, {2, 1}}}
	if err := r.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	d := (<-f.config).GetNomadConfig().GetDriver()
	topology := d.GetTopology()
	if d.GetClientMinPort() != 14000 || d.GetClientMaxPort() != 14512 || len(topology.GetCores()) != 3 || topology.GetCores()[2].GetNodeId() != 1 ||
		topology.GetCores()[0].GetBaseSpeed() != 2000 || topology.GetOverrideTotalCompute() != 6000 || topology.GetOverrideWitholdCompute() != 500 ||
		len(topology.GetNodeIds()) != 2 || topology.GetDistances().GetDimension() != 2 || len(topology.GetDistances().GetValues()) != 4 {
		t.Errorf("%v", d)
	}
	if _, err := r.Wait(t.Context(), "x"); !errors.Is(err, drivers.ErrTaskNotFound) {
		t.Errorf("wait: %v", err)
	}
	if _, _, err := r.CreateNetwork(t.Context(), "x", ""); !errors.Is(err, drivers.ErrUnsupported) {
		t.Errorf("network: %v", err)
	}
}

// A driver without streaming exec runs commands that have no input and no terminal, whether the caller gives it an empty input or none.
func TestForeignExec(t *testing.T) {
	r, _ := connectForeign(t)
	for range 2 {
		for _, in := range []*strings.Reader{nil, strings.NewReader("")} {
			var out, errs bytes.Buffer
			req := drivers.ExecRequest{Command: []string{"a", "b"}, Stdout: &out, Stderr: &errs}
			if in != nil {
				req.Stdin = in
			}
			if got, err := r.Exec(t.Context(), "x", req); err != nil || got.ExitCode != 4 || out.String() != "a b" || errs.String() != "err" {
				t.Errorf("%+v %v %q %q", got, err, out.String(), errs.String())
			}
		}
	}
	for name, req := range map[string]drivers.ExecRequest{
		"input": {Command: []string{"a"}, Stdin: strings.NewReader("text")}, "terminal": {Command: []string{"a"}, TTY: true},
	} {
		if _, err := r.Exec(t.Context(), "x", req); !errors.Is(err, drivers.ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	silent, stop := net.Pipe() // an input that never ends
	defer stop.Close()
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Exec(ctx, "x", drivers.ExecRequest{Command: []string{"a"}, Stdin: silent}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("endless input: %v", err)
	}
}
