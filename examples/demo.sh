#!/usr/bin/env bash
# Starts a dev agent, runs a service and a batch job on it, shows what came of
# them, and waits. Ctrl-C stops all of it. Usage: examples/demo.sh [BINARY]
#
# SERAI_DEMO_PORT is where the agent listens (4646).
set -euo pipefail
set -m # the agent gets a process group of its own: Ctrl-C comes here alone

serai=$(realpath "${1:-bin/serai}")
here=$(cd "$(dirname "$0")" && pwd)
port=${SERAI_DEMO_PORT:-4646}
work=$(mktemp -d -t serai-demo.XXXXXX)
agent=
export SERAI_ADDR=http://127.0.0.1:$port
unset NOMAD_ADDR NOMAD_NAMESPACE NOMAD_REGION NOMAD_TOKEN SERAI_NAMESPACE SERAI_REGION SERAI_TOKEN

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
show() { # show COMMAND...: prints the command, then runs it
  say "\$ serai $*"
  "$serai" "$@" || echo "(exit code $?)"
}

finish() {
  code=$?
  trap '' INT TERM
  trap - EXIT
  if [ -n "$agent" ] && kill -0 "$agent" 2>/dev/null; then
    say "stopping"
    kill -INT "$agent"
    for _ in $(seq 300); do kill -0 "$agent" 2>/dev/null || break; sleep 0.1; done
    if kill -0 "$agent" 2>/dev/null; then
      echo "the agent does not end; its log is $work/agent.log" >&2
      kill -KILL "$agent"
      exit 1
    fi
    wait "$agent" || { code=$?; echo "the agent ended with exit code $code:" >&2; tail -n 20 "$work/agent.log" >&2; exit "$code"; }
    echo "everything is stopped"
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 0' INT TERM

# A port that is taken would make this a demonstration of somebody else's agent.
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  echo "port $port is in use; choose another: SERAI_DEMO_PORT=5646 make demo" >&2
  exit 1
fi

cat >"$work/agent.hcl" <<HCL
ports {
  http = $port
  rpc  = $((port + 1))
  serf = $((port + 2))
}
HCL

say "\$ serai agent -dev"
"$serai" agent -dev -config "$work/agent.hcl" >"$work/agent.log" 2>&1 &
agent=$!
for _ in $(seq 150); do
  if ! kill -0 "$agent" 2>/dev/null; then
    tail -n 20 "$work/agent.log" >&2
    exit 1
  fi
  if "$serai" operator api /v1/nodes 2>/dev/null | grep -q '"Status": *"ready"'; then
    ready=yes
    break
  fi
  sleep 0.1
done
[ -n "${ready:-}" ] || { echo "the agent is not ready after 15 s" >&2; tail -n 20 "$work/agent.log" >&2; exit 1; }
show node status

show job run "$here/demo-web.nomad.hcl"
show job run "$here/demo-report.nomad.hcl"
show job status
show job status demo-web
for _ in $(seq 100); do # its first line comes a moment after it runs
  "$serai" alloc logs -task server -job demo-web 2>/dev/null | grep -q served && break
  sleep 0.1
done
say "\$ serai alloc logs -task server -job demo-web (first lines)"
"$serai" alloc logs -task server -job demo-web | head -n 5 || true
# The batch job counts what the machine has; its output is there when it is complete.
for _ in $(seq 100); do
  "$serai" job status -t '{{.Status}}' demo-report 2>/dev/null | grep -q dead && break
  sleep 0.1
done
show alloc logs -job demo-report

# Containers, isolated processes and Java side by side, where the node has what they need.
missing=
for driver in container exec java; do
  for _ in $(seq 20); do # Java is looked for when the agent is up
    "$serai" node status -self 2>/dev/null | grep '^Driver Status' | grep -qw "$driver" && continue 2
    sleep 0.1
  done
  missing="$missing driver-$driver"
done
command -v busybox >/dev/null || missing="$missing busybox"
command -v javac >/dev/null || missing="$missing javac"
if [ -z "$missing" ]; then
  show job run -detach "$here/demo-mixed.hcl"
  for group in container exec java; do
    alloc=
    for _ in $(seq 300); do
      alloc=$("$serai" job allocs -t "{{range .}}{{if and (eq .TaskGroup \"$group\") (eq .ClientStatus \"running\")}}{{.ID}}{{end}}{{end}}" demo-mixed 2>/dev/null) || true
      [ -n "$alloc" ] && "$serai" alloc logs -task hello "$alloc" 2>/dev/null | grep -q '^in ' && break
      sleep 0.1
    done
    show alloc logs -task hello "$alloc"
  done
else
  say "Left out: containers, isolated processes and Java side by side; this machine lacks$missing. \`make test-deps\` installs what it can; containers need root."
fi

say "The API listens on $SERAI_ADDR"
cat <<TEXT
Try, in another terminal:
  export SERAI_ADDR=$SERAI_ADDR
  $serai job status
  $serai alloc exec -i -t -task server -job demo-web /bin/sh
  curl $SERAI_ADDR/v1/jobs?pretty
The agent's log is $work/agent.log. Ctrl-C stops everything.
TEXT
while kill -0 "$agent" 2>/dev/null; do
  sleep 1 &
  wait $! || true # unlike a plain sleep, this ends at once at a signal
done
echo "the agent ended by itself:" >&2
tail -n 20 "$work/agent.log" >&2
exit 1
