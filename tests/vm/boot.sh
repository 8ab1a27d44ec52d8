#!/usr/bin/env bash
# Proves that everything is back after a reset: installs a Debian package in a machine with systemd, starts a game server,
# kills and restarts what keeps it, presses the machine's reset button, and looks at what comes back when.
#
#   cargo xtask package && tests/vm/boot.sh target/package/nodepanel_*.deb
#   tests/vm/boot.sh --container target/package/nodepanel_*.deb
#
# The virtual machine takes about ten minutes without VM_ACCELERATOR=kvm; with WINDOW=yes a maintenance window is opened in
# it, too, in which proofs must be renewed by themselves: five minutes more. The container (systemd-nspawn, Debian package
# systemd-container) takes three and has the kernel of its host; its reset is the sudden end of all of its processes. Needs
# root, and the Debian packages debootstrap, qemu-system-x86 and e2fsprogs. Prints a table; ends with 0 when every check in
# boot_guest.sh held. All that the guest said is printed too, or written to the file SAID names.
set -euo pipefail

container=
if [ "${1:-}" = --container ]; then
  container=yes
  shift
fi
package=$(realpath "${1:?name the package to try}")
. "$(dirname "$0")/image.sh"
running=
end() {
  [ -z "$running" ] || kill "$running" 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT

debian
install -m 644 "$package" "$root/root/nodepanel.deb"
mkdir -p "$root/etc/systemd/system/nodepanel.service.d"
printf '[Service]\nEnvironment=NODEPANEL_ADMIN_EMAIL=admin@example.org "NODEPANEL_ADMIN_PASSWORD=only for this machine"\n' \
  >"$root/etc/systemd/system/nodepanel.service.d/administrator.conf"
at_boot boot_guest.sh
if [ -n "${WINDOW:-}" ]; then touch "$root/srv/window"; fi

start_machine() {
  mkfifo "$work/monitor"
  exec 3<>"$work/monitor"
  (machine 2400 -display none -serial "file:$said" -monitor stdio) <&3 >"$work/log" 2>&1 &
  running=$!
}
start_container() {
  timeout 600 systemd-nspawn --quiet --directory="$root" --boot --private-network --register=no --keep-unit \
    --link-journal=no --console=pipe --machine=nodepanel-boot </dev/null >"$work/log" 2>&1 &
  running=$!
}
# At once, in the middle of everything: nothing is stopped, nothing is written.
reset() {
  if [ -z "$container" ]; then
    echo system_reset >&3
    return
  fi
  # The container's first process, with which all others end.
  kill -9 "$(pgrep --parent "$(pgrep --parent "$running")")"
  wait "$running" || true
  start_container
}
# Waits until the guest has said something, or is off.
until_said() {
  until grep -q "$1" "$said"; do
    kill -0 "$running" 2>/dev/null || return 1
    sleep 1
  done
}

echo "Booting it"
if [ -n "$container" ]; then
  said=$root/srv/said
  : >"$said"
  start_container
else
  disk
  said=$work/said
  : >"$said"
  start_machine
fi
if until_said "^guest: press reset"; then
  echo "Pressing reset"
  reset
fi
wait "$running" || tail -n 5 "$work/log" >&2
running=

if [ -n "${SAID:-}" ]; then cp "$said" "$SAID"; else cat "$said"; fi
echo
grep "^guest: FAILED" "$said" || true
awk -F'|' 'BEGIN { printf "%-62s %-12s %s\n", "WHAT", "TARGET", "MEASURED" }
  /^row\|/ { sub(/\r$/, ""); printf "%-62s %-12s %s\n", $2, $3, $4 }' "$said"
grep -q "^guest: every check held" "$said" && ! grep -q "^guest: FAILED" "$said"
