#!/bin/busybox sh
# The machine's first process: moves to a root that containers can leave, and keeps the agent running as an init system does.
b=/bin/busybox
if [ "$1" != second ]; then
	$b mkdir -p /proc /new
	$b mount -t proc proc /proc
	for m in $($b cat /modules/order); do $b insmod /modules/$m.ko; done
	$b mount -t tmpfs -o mode=755,size=90% new /new
	$b cp -a /bin /dev /etc /sbin /usr /lib /lib64 /var /www /init /new/
	$b mkdir -p /new/proc /new/sys /new/run /new/tmp /new/root
	$b umount /proc
	exec $b switch_root /new /init second
fi
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
$b mkdir -p /dev/pts /dev/shm
$b ln -s /proc/self/fd /dev/fd
$b mount -t devpts -o gid=5,mode=620,ptmxmode=666 pts /dev/pts
$b mount -t tmpfs shm /dev/shm
$b mount -t tmpfs -o mode=755 run /run
$b mount -t ext4 /dev/vda /var/lib/serai || { echo "guest: the disk is broken"; poweroff -f; }
$b mount -t cgroup2 cgroup2 /sys/fs/cgroup
$b --install -s /bin
mkdir -p /sys/fs/cgroup/init.scope /sys/fs/cgroup/system.slice/serai.service
for p in $(cat /sys/fs/cgroup/cgroup.procs); do echo $p >/sys/fs/cgroup/init.scope/cgroup.procs 2>/dev/null; done
for g in /sys/fs/cgroup /sys/fs/cgroup/system.slice; do echo "+cpu +cpuset +memory +pids +io" >$g/cgroup.subtree_control; done
hostname guest
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
httpd -p 80 -h /www
echo "guest: up"
while :; do
	(echo $(sh -c 'echo $PPID') >/sys/fs/cgroup/system.slice/serai.service/cgroup.procs && exec serai agent -config /etc/serai.hcl) 2>&1
	echo "guest: the agent ended with $?"
	sleep 1
done
