package config

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/seraihq/serai/internal/pattern"
)

// addressTemplate is the part of the go-sockaddr template language that is built.
var addressTemplate = pattern.New(`^\{\{\s*(GetPrivateIP|GetPublicIP|GetInterfaceIP\s+"([^"]+)")\s*\}\}$`)

// resolve replaces an address template by the address it stands for.
func (v *checker) resolve(key string, addr *string) {
	text := strings.TrimSpace(*addr)
	if !strings.Contains(text, "{{") {
		return
	}
	match := addressTemplate.FindStringSubmatch(text)
	if match == nil {
		v.add(key, "%s: address template %q is not supported; write an IP address, or {{ GetPrivateIP }}, {{ GetPublicIP }} or {{ GetInterfaceIP \"eth0\" }}", key, text)
		return
	}
	ip, err := findIP(match[1], match[2])
	if err != nil {
		v.add(key, "%s: address template %q: %v", key, text, err)
		return
	}
	*addr = ip
}

// Reachable gives the address at which others reach what listens on ip: of one
// that stands for all addresses the first private one of this machine, or
// another one.
func (c *Agent) Reachable(ip net.IP) string {
	if !ip.IsUnspecified() {
		return ip.String()
	}
	for _, function := range []string{"GetPrivateIP", "GetPublicIP"} {
		if found, err := findIP(function, ""); err == nil {
			return found
		}
	}
	return "127.0.0.1"
}

// findIP gives the first IPv4 address that fits, or else the first IPv6 address.
func findIP(function, iface string) (string, error) {
	var addrs []net.Addr
	if iface != "" {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return "", fmt.Errorf("no network interface %q", iface)
		}
		addrs, _ = i.Addrs()
	} else {
		addrs, _ = net.InterfaceAddrs()
	}
	var six string
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr().Unmap()
		fits := iface != "" || !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && ip.IsPrivate() == (function == "GetPrivateIP")
		if fits && ip.Is4() {
			return ip.String(), nil
		}
		if fits && six == "" && !ip.IsLinkLocalUnicast() {
			six = ip.String()
		}
	}
	if six == "" {
		return "", fmt.Errorf("no address of this machine fits")
	}
	return six, nil
}
