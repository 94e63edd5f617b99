package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Probe says why this machine can give pods no bridge; nil: it can. All is tried
// in a namespace of its own that ends at once; nothing of the node is touched.
func Probe() error {
	if os.Geteuid() != 0 {
		return errors.New("the agent does not run as root")
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends here, and the namespace with it
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("network namespaces: %w", err)
			return
		}
		result <- probe()
	}()
	return <-result
}

func probe() error {
	const name = "probe"
	set, err := Config{Bridge: name, SubnetV6: "fd00::/64"}.settings()
	if err != nil {
		return err
	}
	m := &Manager{set: set}
	h, err := handle()
	if err != nil {
		return err
	}
	defer h.Close()
	if _, err := m.makeBridge(h); err != nil {
		return err
	}
	r := &Record{AllocID: "00000000-0000-0000-0000-000000000000", Mode: ModeBridge,
		Address: set.gateway.Addr().Next(), AddressIPv6: set.gateway6.Addr().Next(),
		Ports: []Port{{HostIP: netip.MustParseAddr("127.0.0.1"), Host: 1, Inside: 1}, {HostIP: netip.MustParseAddr("fd00::1"), Host: 1, Inside: 1}}}
	return replace(desired{bridge: name, subnet: set.subnet, subnetV6: set.subnetV6, blocked: set.blocked, pods: []*Record{r}})
}

// Closed names the chains of others that let nothing be forwarded unless a rule
// of theirs says so. Packets of pods need such a rule too, for no table can allow
// what another one forbids.
func Closed() []string {
	conn, err := connect()
	if err != nil {
		return nil
	}
	chains, err := conn.ListChains()
	if err != nil {
		return nil
	}
	var out []string
	for _, c := range chains {
		if c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookForward || c.Policy == nil || *c.Policy != nftables.ChainPolicyDrop {
			continue
		}
		if f := c.Table.Family; f == nftables.TableFamilyIPv4 || f == nftables.TableFamilyINet {
			out = append(out, fmt.Sprintf("%s %s %s", familyName(f), c.Table.Name, c.Name))
		}
	}
	return out
}

func familyName(f nftables.TableFamily) string {
	if f == nftables.TableFamilyINet {
		return "inet"
	}
	return "ip"
}
