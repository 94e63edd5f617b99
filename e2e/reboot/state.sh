#!/bin/sh
# What is there, a line each: kind and name.
printf 'Content-Type: text/plain\r\n\r\n'
grep -o ' /var/lib/serai/alloc/[^ ]*' /proc/mounts | sed 's/^ /mount /'
find /sys/fs/cgroup -path '*/serai/*' -type d | sed 's/^/group /'
for p in /proc/[0-9]*; do
	tr '\0' ' ' <$p/cmdline 2>/dev/null | grep -o 'sleep [0-9]*-[a-z]*' | sed 's/^/task /'
done
ls /var/lib/serai/alloc 2>/dev/null | sed 's/^/dir /'
for l in /sys/class/net/*; do [ -e $l/brport ] && echo "link ${l##*/}"; done
find /run/serai/network -type f 2>/dev/null | sed 's/^/net /'
