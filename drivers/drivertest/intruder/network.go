package main

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// networkAttacks are sockets that no task has business with.
func networkAttacks() []attack {
	usual := []int{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}
	out := []attack{
		{group: "network", name: "raw sockets", try: func(*facts) string {
			return first([][3]int{{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}, {unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW}, {unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6},
				{unix.AF_PACKET, unix.SOCK_RAW, 0x300}, {unix.AF_PACKET, unix.SOCK_DGRAM, 0x300}}, socket)
		}},
		{group: "network", name: "changing a link", try: func(*facts) string {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return ""
			}
			defer unix.Close(fd)
			r, err := unix.NewIfreq("lo")
			if err != nil {
				return err.Error()
			}
			if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
				return ""
			}
			return did(unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)) // what they are
		}},
		{group: "network", name: "a device of its own", sometimes: true, try: func(*facts) string { return opens(unix.O_RDWR)("/dev/net/tun") }},
	}
	for family := range 46 {
		if slices.Contains(usual, family) || family == unix.AF_PACKET {
			continue
		}
		out = append(out, attack{group: "calls", name: fmt.Sprint("sockets of family ", family), sometimes: true, try: func(*facts) string {
			return first([]int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_SEQPACKET}, func(kind int) string { return socket([3]int{family, kind, 0}) })
		}})
	}
	return out
}

func socket(of [3]int) string {
	fd, err := unix.Socket(of[0], of[1]|unix.SOCK_CLOEXEC, of[2])
	if err != nil {
		return ""
	}
	_ = unix.Close(fd)
	return fmt.Sprint("opened ", of)
}
