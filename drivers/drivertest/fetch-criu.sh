#!/bin/sh
# Fetches a CRIU that works on current kernels, for the tests of checkpoints, into $SERAI_CRIU or the user's cache directory: Debian 13's, which runs
# with its own libraries on older ones too. It does nothing when CRIU is there.
set -e
dir=${SERAI_CRIU:-${XDG_CACHE_HOME:-$HOME/.cache}/serai/criu}
[ -x "$dir/bin/criu" ] && exit 0
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
mirror=${mirror:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/*$' | head -n 1)}
[ -n "$mirror" ] || { echo "no mirror of Debian is configured" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
echo "deb $mirror trixie main" >"$work/sources.list"
: >"$work/status"
apt() {
	apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" \
		-o Dir::Cache="$work/cache" -o Dir::State::status="$work/status" -o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@" >"$work/log" 2>&1 ||
		{ tail -n 3 "$work/log" >&2; exit 1; }
}
apt update
apt install -y --no-install-recommends --download-only criu
rm -rf "$dir"
mkdir -p "$dir/bin"
for package in "$work"/cache/archives/*.deb; do
	dpkg-deb -x "$package" "$dir/root"
done
loader=$(find "$dir/root/usr/lib64" "$dir/root/usr/lib" -maxdepth 1 -name 'ld-linux-*' 2>/dev/null | head -n 1)
libraries=$(dirname "$(find "$dir/root/usr/lib" -name 'libc.so.6' | head -n 1)")
printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' "$loader" "$libraries" "$dir/root/usr/sbin/criu" >"$dir/bin/criu.part"
chmod 755 "$dir/bin/criu.part"
mv "$dir/bin/criu.part" "$dir/bin/criu" # last: its presence says that all is there
