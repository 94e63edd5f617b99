#!/bin/sh
# Fetches Debian's kernel for clouds, for the guests that tests start, into $SERAI_GUEST or the user's cache directory. It does
# nothing when the kernel is there.
set -e
dir=${SERAI_GUEST:-${XDG_CACHE_HOME:-$HOME/.cache}/serai/guest}
modules="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net virtio_blk evdev button overlay
	llc stp bridge veth libcrc32c nfnetlink nf_defrag_ipv4 nf_defrag_ipv6 nf_conntrack nf_conntrack_netlink nf_nat nf_tables nft_ct nft_chain_nat nft_nat nft_masq
	nf_reject_ipv4 nf_reject_ipv6 nft_reject nft_reject_inet nft_reject_ipv4 nft_reject_ipv6 nft_meta_bridge"
complete() {
	for module in $modules; do [ -f "$dir/$module.ko" ] || return 1; done
	[ -f "$dir/vmlinuz" ]
}
complete && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kernel() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1; }
package=$(kernel)
if [ -z "$package" ]; then # a fresh machine has no lists
	if [ "$(id -u)" = 0 ]; then apt-get update -q; else sudo apt-get update -q; fi
	package=$(kernel)
fi
cd "$work"
apt-get -o APT::Sandbox::User=root download -q "$package"
dpkg-deb -x ./*.deb root
mkdir -p "$dir"
for module in $modules; do
	file=$(find root -name "$module.ko*" | head -n 1)
	case $file in
	*.xz) xz -dc "$file" >"$dir/$module.ko" ;;
	*.zst) zstd -dqc "$file" >"$dir/$module.ko" ;;
	*) cp "$file" "$dir/$module.ko" ;;
	esac
done
cp root/boot/vmlinuz-* "$dir/vmlinuz.part"
mv "$dir/vmlinuz.part" "$dir/vmlinuz" # last: its presence says that all is there
