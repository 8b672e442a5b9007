#!/usr/bin/env bash
# A log and three witnesses of it on this machine: `witnessed.sh [start|alone|stop] [DIR]`, DIR being ./witnessed.
# `alone` starts the log without its witness policy, as one who cheats has to.
# The first start makes them all; any two witnesses are a quorum. Everything listens on 127.0.0.1: the log at WRIT_PORT
# (6962), the witnesses at the three ports after it. WRIT is the command to run; this project's own unless told. (Not npx:
# a signal for it does not reach the server behind it.)
set -euo pipefail

verb=${1:-start}
dir=${2:-witnessed}
port=${WRIT_PORT:-6962}
main=$(cd -P "$(dirname "$0")/.." && pwd)/dist/src/cli/main.js
if [ -e "$main" ]; then WRIT=${WRIT:-node $main}; else WRIT=${WRIT:-writ}; fi
writ() { $WRIT "$@"; }

# Does the process run? One that has ended and was not waited for by anybody does not.
runs() { kill -0 "$1" 2> /dev/null && case $(ps -o stat= -p "$1" 2> /dev/null || true) in Z*) return 1 ;; esac; }

make() {
  mkdir -p "$dir"
  writ init "$dir/log" --origin localhost/witnessed 2>/dev/null > "$dir/log.vkey"
  for n in 1 2 3; do
    writ witness init "$dir/w$n" --name "localhost/w$n" > /dev/null
    writ witness add-log "$dir/w$n" "$dir/log/keys/log.key.pub" > /dev/null
  done
  {
    echo "log $(cat "$dir/log.vkey") http://127.0.0.1:$port"
    for n in 1 2 3; do echo "witness w$n $(cat "$dir/w$n/witness.key.pub") http://127.0.0.1:$((port + n))"; done
    echo "group two-of-three 2 w1 w2 w3"
    echo "quorum two-of-three"
  } > "$dir/policy.new"
  # Last, and whole: a making that was interrupted is seen by its absence.
  mv "$dir/policy.new" "$dir/policy"
}

# launch NAME ARGS…: runs a server in the background and waits until it says that it is up.
launch() {
  local name=$1
  shift
  : > "$dir/$name.log"
  $WRIT "$@" > /dev/null 2> "$dir/$name.log" &
  local pid=$!
  echo "$pid" > "$dir/$name.pid"
  until grep -q ' is up at ' "$dir/$name.log"; do
    if ! runs "$pid"; then cat "$dir/$name.log" >&2; exit 1; fi
    sleep 0.1
  done
}

start() {
  if [ ! -e "$dir/policy" ]; then
    if [ -e "$dir" ]; then echo "$dir is there and is not whole; remove it or name another" >&2; exit 1; fi
    make
  fi
  for n in 1 2 3; do launch "w$n" witness serve "$dir/w$n" --listen "127.0.0.1:$((port + n))"; done
  launch log serve "$dir/log" --listen "127.0.0.1:$port" --witness-policy "$dir/policy"
  echo "the log is up at http://127.0.0.1:$port, its three witnesses at the ports after that; the policy is $dir/policy"
}

alone() {
  launch log serve "$dir/log" --listen "127.0.0.1:$port"
  echo "the log is up at http://127.0.0.1:$port, without its witnesses"
}

stop() {
  for name in log w1 w2 w3; do
    [ -e "$dir/$name.pid" ] || continue
    pid=$(cat "$dir/$name.pid")
    kill "$pid" 2> /dev/null || true
    while runs "$pid"; do sleep 0.1; done
    rm "$dir/$name.pid"
  done
}

case $verb in
  start) start ;;
  alone) alone ;;
  stop) stop ;;
  *) echo "usage: witnessed.sh [start|alone|stop] [DIR]" >&2; exit 2 ;;
esac
