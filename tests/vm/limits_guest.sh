#!/bin/sh
# Runs in the virtual machine: limits on control groups of version 2, then the end of everything. Prints what it finds.
. /usr/local/lib/checks.sh
export NODEPANEL_DATA_DIR=/srv/nodepanel

group() { # SERVER: its control group
  echo "/sys/fs/cgroup/nodepanel/$(nodepanel server show "$1" --json | sed -n 's/^  "id": "\(.*\)",$/\1/p')"
}
says() { nodepanel server logs "$1" --tail 100 | grep -q "$2"; }
is() { [ "$(cat "$(group "$1")/$2")" = "$3" ]; }
at_most() { [ "$(cat "$(group "$1")/$2")" -le "$3" ]; }
used() { sed -n 's/^usage_usec //p' "$1/cpu.stat"; }
# On a slow host others take the rest of the processor, too: that it was held back is what the limit did.
held_back() { sed -n 's/^nr_throttled //p' "$1/cpu.stat"; }
half_a_core() {
  busy=$(group busy)
  used_before=$(used "$busy") held_before=$(held_back "$busy") time_before=$(centiseconds)
  sleep 5
  percent=$((($(used "$busy") - used_before) / (($(centiseconds) - time_before) * 100)))
  held=$(($(held_back "$busy") - held_before))
  echo "guest: busy used $percent % of a core and was held back $held times"
  [ "$percent" -le 60 ] && [ "$held" -gt 0 ]
}
gone() { [ -z "$(find /sys/fs/cgroup/nodepanel -mindepth 1 -maxdepth 1 -type d)" ]; }

ip link set lo up
check "control groups are of version 2 alone" sh -c '[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]'
nodepanel up --listen 127.0.0.1:8080 &
check "everything is ready" until_so ready
nodepanel doctor

make calm --start --memory 64 --cpu 50 --set "COMMAND=sh -c 'echo ready; while read -r line; do :; done'"
make hog --start --memory 64 --set "COMMAND=python3 -c 'import time; print(\"ready\", flush=True); time.sleep(1); x = bytearray(300 << 20); time.sleep(999)'"
make busy --start --cpu 50 --set "COMMAND=sh -c 'echo ready; while :; do :; done'"
make forks --start --set "COMMAND=sh -c 'echo ready; i=0; while [ \$i -lt 400 ]; do sleep 300 & i=\$((i+1)); done; wait'"

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
