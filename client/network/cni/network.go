package cni

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containernetworking/cni/libcni"
	current "github.com/containernetworking/cni/pkg/types/100"
)

// askDeadline is how long a plugin may take to say what it is.
const askDeadline = 5 * time.Second

// configLimit bounds a configuration.
const configLimit = 1 << 20

// Load gives the configuration of a network by its name: that of a list of
// plugins (.conflist), or of one (.conf, .json).
func Load(dir, name string) ([]byte, error) {
	all, err := load(dir)
	list := all[name]
	if list == nil && err != nil {
		return nil, err
	}
	if list == nil {
		return nil, fmt.Errorf("there is no CNI network %q in %s: put its configuration there, or set client.cni_config_dir", name, dir)
	}
	return list.Bytes, nil
}

// Names lists the networks that a directory configures. What cannot be read is
// told and left out.
func Names(dir string) ([]string, error) {
	all, err := load(dir)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	return names, err
}

func load(dir string) (map[string]*libcni.NetworkConfigList, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("CNI networks: %w", err)
	}
	out := map[string]*libcni.NetworkConfigList{}
	var all error
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if ext != ".conflist" && ext != ".conf" && ext != ".json" {
			continue
		}
		list, err := read(filepath.Join(dir, e.Name()), ext)
		if err != nil {
			all = errors.Join(all, err)
			continue
		}
		if out[list.Name] == nil { // the first by the file's name holds
			out[list.Name] = list
		}
	}
	return out, all
}

func read(path, ext string) (*libcni.NetworkConfigList, error) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > configLimit) {
		err = fmt.Errorf("it is no file of at most %d bytes", configLimit)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	var list *libcni.NetworkConfigList
	if err == nil {
		list, err = parse(text, ext != ".conflist")
	}
	if err != nil {
		return nil, fmt.Errorf("CNI network %s: %w", path, err)
	}
	return list, nil
}

// parse reads a configuration; single: of one plugin.
func parse(text []byte, single bool) (*libcni.NetworkConfigList, error) {
	var list *libcni.NetworkConfigList
	if single {
		one, err := libcni.NetworkPluginConfFromBytes(text)
		if err != nil {
			return nil, err
		}
		if one.Network.Type == "" {
			return nil, errors.New("it names no type of plugin")
		}
		if list, err = libcni.ConfListFromConf(one); err != nil {
			return nil, err
		}
	} else {
		var err error
		if list, err = libcni.NetworkConfFromBytes(text); err != nil {
			return nil, err
		}
	}
	return list, sound(list)
}

// sound refuses what would lead a plugin's name out of its directory.
func sound(list *libcni.NetworkConfigList) error {
	if list.Name == "" {
		return errors.New("it has no name")
	}
	if len(list.Plugins) == 0 {
		return errors.New("it lists no plugins")
	}
	for _, p := range list.Plugins {
		if t := p.Network.Type; t == "" || strings.ContainsAny(t, "/\x00") || t == "." || t == ".." {
			return fmt.Errorf("%.100q is not the name of a plugin", t)
		}
	}
	return nil
}

// Call is what plugins are called with.
type Call struct {
	Config    []byte // as Load gives it
	Container string // the allocation
	Namespace string // path; empty when it is gone
	Interface string
	Args      map[string]string
	// Address is one that the container had: who gives out addresses is asked for it.
	Address netip.Addr
	Ports   []Port
	// Path are the directories of plugins; Cache is where their results are kept.
	Path  []string
	Cache string
}

// Port is a port of the host that leads into the container.
type Port struct {
	Host     int    `json:"hostPort"`
	Inside   int    `json:"containerPort"`
	Protocol string `json:"protocol"`
	IP       string `json:"hostIP,omitempty"`
}

// Result is what the plugins made.
type Result struct {
	Interface   string
	Address     netip.Addr
	AddressIPv6 netip.Addr
	Servers     []string
	Searches    []string
	Options     []string
	// Links are the devices of the host that the plugins made or used.
	Links []string
}

func (c *Call) prepare() (*libcni.CNIConfig, *libcni.NetworkConfigList, *libcni.RuntimeConf, error) {
	list, err := parse(c.Config, false)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("CNI network: %w", err)
	}
	rt := &libcni.RuntimeConf{ContainerID: c.Container, NetNS: c.Namespace, IfName: c.Interface, Args: [][2]string{{"IgnoreUnknown", "true"}}}
	for k, v := range c.Args {
		if strings.ContainsAny(k+v, ";\n\r\x00") || strings.Contains(k, "=") {
			return nil, nil, nil, fmt.Errorf("CNI network %q: argument %.100q must hold no semicolon and be one line", list.Name, k)
		}
		rt.Args = append(rt.Args, [2]string{k, v})
	}
	if _, set := c.Args["IP"]; c.Address.IsValid() && !set {
		rt.Args = append(rt.Args, [2]string{"IP", c.Address.String()})
	}
	if len(c.Ports) > 0 {
		rt.CapabilityArgs = map[string]any{"portMappings": c.Ports}
	}
	return libcni.NewCNIConfigWithCacheDir(c.Path, c.Cache, &runner{}), list, rt, nil
}

// Add lets the plugins connect a container. After an error Del must be called.
func Add(ctx context.Context, c Call) (Result, error) {
	lib, list, rt, err := c.prepare()
	if err != nil {
		return Result{}, err
	}
	made, err := lib.AddNetworkList(ctx, list, rt)
	if err != nil {
		return Result{}, fmt.Errorf("CNI network %q: %w", list.Name, err)
	}
	res, err := current.GetResult(made)
	if err != nil {
		return Result{}, fmt.Errorf("CNI network %q: %w", list.Name, err)
	}
	return summary(res, c.Interface), nil
}

// Del lets the plugins disconnect it. It can be repeated.
func Del(ctx context.Context, c Call) error {
	lib, list, rt, err := c.prepare()
	if err != nil {
		return err
	}
	if err := lib.DelNetworkList(ctx, list, rt); err != nil {
		return fmt.Errorf("CNI network %q: %w", list.Name, err)
	}
	return nil
}

// summary picks the first addresses of a device in the container.
func summary(res *current.Result, fallback string) Result {
	out := Result{Interface: fallback, Servers: res.DNS.Nameservers, Searches: res.DNS.Search, Options: res.DNS.Options}
	if len(out.Searches) == 0 && res.DNS.Domain != "" {
		out.Searches = []string{res.DNS.Domain}
	}
	for _, i := range res.Interfaces {
		if i.Sandbox == "" {
			out.Links = append(out.Links, i.Name)
		}
	}
	named := false
	for _, ip := range res.IPs {
		if i := ip.Interface; i != nil {
			if *i < 0 || *i >= len(res.Interfaces) || res.Interfaces[*i].Sandbox == "" {
				continue
			}
			if !named {
				out.Interface, named = res.Interfaces[*i].Name, true
			}
		}
		a, ok := netip.AddrFromSlice(ip.Address.IP)
		if !ok {
			continue
		}
		switch a = a.Unmap(); {
		case a.Is4() && !out.Address.IsValid():
			out.Address = a
		case a.Is6() && !out.AddressIPv6.IsValid():
			out.AddressIPv6 = a
		}
	}
	return out
}
