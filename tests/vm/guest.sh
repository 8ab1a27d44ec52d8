#!/bin/sh
# Runs in the virtual machine: limits on control groups of version 2, then the end of everything. Prints what it finds.
exec >/dev/ttyS0 2>&1
export HOME=/root NODEPANEL_DATA_DIR=/srv/nodepanel
export NODEPANEL_ADMIN_EMAIL=admin@example.org NODEPANEL_ADMIN_PASSWORD="only for this machine"
failed=0

check() {
  what=$1
  shift
  if "$@"; then echo "guest: ok: $what"; else
    echo "guest: FAILED: $what"
    failed=1
  fi
}

# Waits up to a minute and a half: this machine is emulated.
until_so() {
  for _ in $(seq 90); do
    "$@" && return 0
    sleep 1
  done
  return 1
}

ready() { [ "$(nodepanel status --json 2>/dev/null | grep -c '"state": "ready"')" -ge 5 ]; }
make() {
  name=$1
  shift
  nodepanel server create "$name" --template any-command --set READY_TEXT=ready --start "$@"
}
group() { # SERVER: its control group
  echo "/sys/fs/cgroup/nodepanel/$(nodepanel server show "$1" --json | sed -n 's/^  "id": "\(.*\)",$/\1/p')"
}
says() { nodepanel server logs "$1" --tail 100 | grep -q "$2"; }
is() { [ "$(cat "$(group "$1")/$2")" = "$3" ]; }
at_most() { [ "$(cat "$(group "$1")/$2")" -le "$3" ]; }
used() { sed -n 's/^usage_usec //p' "$1/cpu.stat"; }
centiseconds() { sed 's/ .*//; s/\.//' /proc/uptime; }
half_a_core() {
  busy=$(group busy)
  used_before=$(used "$busy") time_before=$(centiseconds)
  sleep 5
  percent=$((($(used "$busy") - used_before) / (($(centiseconds) - time_before) * 100)))
  echo "guest: busy used $percent % of a core"
  [ "$percent" -ge 40 ] && [ "$percent" -le 60 ]
}
gone() { [ -z "$(find /sys/fs/cgroup/nodepanel -mindepth 1 -maxdepth 1 -type d)" ]; }

ip link set lo up
check "control groups are of version 2 alone" sh -c '[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]'
nodepanel up --listen 127.0.0.1:8080 &
check "everything is ready" until_so ready
nodepanel doctor

make calm --memory 64 --cpu 50 --set "COMMAND=sh -c 'echo ready; while read -r line; do :; done'"
make hog --memory 64 --set "COMMAND=python3 -c 'import time; print(\"ready\", flush=True); time.sleep(1); x = bytearray(300 << 20); time.sleep(999)'"
make busy --cpu 50 --set "COMMAND=sh -c 'echo ready; while :; do :; done'"
make forks --set "COMMAND=sh -c 'echo ready; i=0; while [ \$i -lt 400 ]; do sleep 300 & i=\$((i+1)); done; wait'"

check "memory is limited" is calm memory.max 67108864
check "processor time is limited" is calm cpu.max "50000 100000"
check "processes are limited" is calm pids.max 128
check "who needs more memory is ended, and told why" until_so says hog "ran out of memory (limit 64 MiB)"
check "half a core is half a core" half_a_core
check "no more processes than allowed" at_most forks pids.current 128
check "everything stops" nodepanel stop --all
check "no server's control group is left" until_so gone

[ "$failed" = 0 ] && echo "guest: every check held"
poweroff -f
