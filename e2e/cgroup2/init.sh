#!/bin/busybox sh
# The guest's first process: moves to a root that containers can leave, runs the lanes of /tests/list, and turns the machine off.
b=/bin/busybox
if [ "$1" != second ]; then
	$b mkdir -p /proc /new
	$b mount -t proc proc /proc
	for m in $($b cat /modules/order); do $b insmod /modules/$m.ko; done
	$b mount -t tmpfs -o mode=755,size=90% new /new
	$b cp -a /bin /dev /etc /sbin /usr /lib /lib64 /var /tests /init /new/
	$b mkdir -p /new/proc /new/sys /new/run /new/tmp /new/root
	$b umount /proc
	exec $b switch_root /new /init second
fi
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TMPDIR=/tmp
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
$b mkdir -p /dev/pts /dev/shm
$b ln -s /proc/self/fd /dev/fd
for n in 0:stdin 1:stdout 2:stderr; do $b ln -s /proc/self/fd/${n%:*} /dev/${n#*:}; done
$b mount -t devpts -o gid=5,mode=620,ptmxmode=666 pts /dev/pts
$b mount -t tmpfs shm /dev/shm
$b mount -t tmpfs -o mode=755 run /run
$b mount -t ext4 /dev/vda /tmp
$b chmod 1777 /tmp
$b mount -t cgroup2 cgroup2 /sys/fs/cgroup
$b --install -s /bin
ip link set lo up
hostname guest
echo "guest: $(uname -r), control groups: $(cat /sys/fs/cgroup/cgroup.controllers)"

# lane NAME ARGS…: runs a lane's tests and says how they ended.
lane() {
	name=$1
	shift
	mkdir -p /tmp/cwd && cd /tmp/cwd
	echo "guest: begin $name $how"
	/tests/$name "$@" </dev/null 2>&1
	echo "guest: end $name $how $?"
	cd /
	rm -rf /tmp/* /run/serai
}

how=root
while read -r line; do lane $line; done </tests/root

# As systemd arranges it: everything in a group of its own, none in the root; the service's group holds its processes.
how=service
mkdir -p /sys/fs/cgroup/init.scope /sys/fs/cgroup/system.slice/serai.service
for p in $(cat /sys/fs/cgroup/cgroup.procs); do echo $p >/sys/fs/cgroup/init.scope/cgroup.procs 2>/dev/null; done
for g in /sys/fs/cgroup /sys/fs/cgroup/system.slice; do echo "+cpu +cpuset +memory +pids +io" >$g/cgroup.subtree_control; done
rmdir /sys/fs/cgroup/serai 2>/dev/null
echo $$ >/sys/fs/cgroup/system.slice/serai.service/cgroup.procs
while read -r line; do lane $line; done </tests/service

for p in $(find /sys/fs/cgroup -mindepth 2 -type d -path '*/serai/*'); do echo "guest: left $p"; done
echo "guest: done"
poweroff -f
