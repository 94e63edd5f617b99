#!/usr/bin/env bash
# Makes a cluster on this machine: three servers and three clients, each in a
# network namespace of its own, every connection encrypted, joined by the same
# commands as on real machines. Runs a service, and a container, an isolated
# process and a Java program in one job; kills the leader, and shows that nobody
# did notice. Ends, and cleans up, when Enter is
# pressed, by Ctrl-C, or at once when nobody is there to press a key.
# Usage: sudo examples/demo-cluster.sh [BINARY]
set -euo pipefail
set -m # the agents get process groups of their own: Ctrl-C comes here alone

serai=$(realpath "${1:-bin/serai}")
[ "$(id -u)" = 0 ] || { echo "network namespaces need root: sudo make demo-cluster" >&2; exit 1; }
work=$(mktemp -d -t serai-cluster.XXXXXX)
tag=sd$((RANDOM % 1000))
net=10.213.$((RANDOM % 250))
machines="m1:11 m2:12 m3:13 m4:14 m5:15 m6:16"
declare -A agent
unset NOMAD_ADDR NOMAD_NAMESPACE NOMAD_REGION NOMAD_TOKEN SERAI_ADDR SERAI_NAMESPACE SERAI_REGION SERAI_TOKEN

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
show() { # show COMMAND...: prints the command, then runs it
  say "\$ serai $*"
  "$serai" "$@" || echo "(exit code $?)"
}
until_true() { # until_true WHAT COMMAND...: waits for it
  local what=$1; shift
  for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  echo "timeout: $what" >&2
  exit 1
}

finish() {
  code=$?
  trap '' INT TERM
  trap - EXIT
  say "stopping"
  [ -z "${asker:-}" ] || kill "$asker" 2>/dev/null || true
  for job in demo-cluster demo-mixed; do timeout 30 "$serai" job stop -purge "$job" >/dev/null 2>&1 || true; done
  for _ in $(seq 40); do # until the clients have removed what the service had
    [ -n "$(find "$work"/m*/var/alloc -mindepth 1 -maxdepth 1 2>/dev/null)" ] || break
    timeout 5 "$serai" system gc >/dev/null 2>&1 || true
    sleep 0.5
  done
  for pid in "${agent[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
  for _ in $(seq 100); do
    left=0
    for pid in "${agent[@]}"; do if kill -0 "$pid" 2>/dev/null; then left=1; fi; done
    [ $left = 1 ] || break
    sleep 0.1
  done
  for pid in "${agent[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  for m in $machines; do ip netns del "$tag-${m%%:*}" 2>/dev/null || true; done
  ip link del "$tag" 2>/dev/null || true
  if [ $code = 0 ]; then rm -rf "$work"; else echo "the logs are in $work" >&2; fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

say "a network with six machines: $net.0/24"
ip link add "$tag" type bridge
ip addr add "$net.1/24" dev "$tag"
ip link set "$tag" up
for m in $machines; do
  name=${m%%:*}
  ip netns add "$tag-$name"
  ip link add "$tag$name" type veth peer name eth0 netns "$tag-$name"
  ip link set "$tag$name" master "$tag" up
  ip -n "$tag-$name" addr add "$net.${m##*:}/24" dev eth0
  ip -n "$tag-$name" link set eth0 up
  ip -n "$tag-$name" link set lo up
done

on() { # on MACHINE COMMAND...: runs it there
  local name=$1; shift
  nsenter --net="/run/netns/$tag-$name" "$@"
}
start() { # start MACHINE
  nsenter --net="/run/netns/$tag-$1" "$serai" agent -config "$work/$1/etc" >>"$work/$1.log" 2>&1 &
  agent[$1]=$!
}
join() { # join MACHINE TOKEN
  on "$1" "$serai" join -config-dir "$work/$1/etc" -data-dir "$work/$1/var" -name "$1" \
    -bind "$net.$((10 + ${1#m}))" "$net.11:4647" "$2" | sed -n 1p
  # A script of the mixed job makes its image on the node.
  printf 'plugin "raw_exec" {\n  config {\n    enabled = true\n  }\n}\n' >"$work/$1/etc/drivers.hcl"
  start "$1"
}

say "\$ serai init"
on m1 "$serai" init -config-dir "$work/m1/etc" -data-dir "$work/m1/var" -name m1 -bind "$net.11" | sed -n 1p
start m1
. "$work/m1/etc/cli.env"
until_true "the first server leads" "$serai" server members
say "\$ serai join $net.11:4647 TOKEN   # two servers, then three clients"
token() { "$serai" join-token create "$@" | grep -o 'sj1[^ ]*'; }
servers=$(token -server -uses 2)
for m in m2 m3; do join $m "$servers"; done
clients=$(token -uses 3)
for m in m4 m5 m6; do join $m "$clients"; done
voters() { [ "$("$serai" operator raft list-peers | awk '$5 == "true"' | wc -l)" = "$1" ]; }
nodes() { [ "$("$serai" node status | grep -c ready)" = "$1" ]; }
until_true "three servers vote" voters 3
until_true "three nodes are ready" nodes 3
show server members
show node status

here=$(cd "$(dirname "$0")" && pwd)
show job run "$here/demo-cluster.hcl"
id=$("$serai" job allocs -t '{{(index . 0).ID}}' demo-cluster)
address=$("$serai" alloc status "$id" | awk '$1 == "*http" {print $3}')
mixed= # containers, isolated processes and Java side by side, where the machine has what they need
if command -v busybox >/dev/null && command -v javac >/dev/null; then
  mixed=yes
  show job run -detach "$here/demo-mixed.hcl"
  for group in container exec java; do
    said() {
      alloc=$("$serai" job allocs -t "{{range .}}{{if and (eq .TaskGroup \"$group\") (eq .ClientStatus \"running\")}}{{.ID}}{{end}}{{end}}" demo-mixed)
      [ -n "$alloc" ] && "$serai" alloc logs -task hello "$alloc" 2>/dev/null | grep -q '^in '
    }
    until_true "the $group of the mixed job runs" said
    show alloc logs -task hello "$alloc"
  done
else
  say "Left out: containers, isolated processes and Java side by side; this machine lacks busybox or a JDK. \`make demo-deps\` installs them."
fi
say "the service answers at $address; asked ten times a second"
asked=$work/asked
(
  trap 'exit 0' TERM
  while :; do
    if (exec 3<>"/dev/tcp/${address%:*}/${address##*:}"; printf 'GET / HTTP/1.0\r\n\r\n' >&3; read -r -t 2 _ <&3) 2>/dev/null; then echo ok; else echo no; fi
    sleep 0.1
  done >"$asked"
) &
asker=$!
sleep 1

leader=$("$serai" operator raft list-peers | awk '$4 == "leader" {print substr($1, 1, 2)}')
say "kill -9 of the leader, $leader"
{ kill -KILL "${agent[$leader]}" && wait "${agent[$leader]}"; } 2>/dev/null || true
unset "agent[$leader]"
for m in m1 m2 m3; do [ $m = "$leader" ] || export SERAI_ADDR=https://$net.$((10 + ${m#m})):4646; done
before=$(date +%s%N)
until_true "a new leader takes a change" "$serai" job scale -detach demo-cluster 3
echo "the next change was acknowledged after $((($(date +%s%N) - before) / 1000000)) ms"
show operator raft list-peers
show job status demo-cluster
sleep 2
echo "the service was asked $(wc -l <"$asked") times and did not answer $(grep -c no "$asked" || true) times"
if [ -n "$mixed" ]; then
  show job allocs demo-mixed
  starts=0
  for alloc in $("$serai" job allocs -t '{{range .}}{{.ID}} {{end}}' demo-mixed); do
    starts=$((starts + $("$serai" alloc status -json "$alloc" | grep -c '"Type": *"Started"')))
  done
  echo "the mixed job has four tasks, which were started $starts times in all"
fi

say "$leader comes back"
start "$leader"
alive() { [ "$("$serai" server members | grep -c alive)" = 3 ]; }
until_true "it is a member again" alive
show server members
if [ -t 0 ]; then
  say "the cluster runs. In another terminal: . $work/m1/etc/cli.env. Enter ends it"
  read -r _
fi
exit 0
