#!/usr/bin/env bash
# Proves that everything is back after a reset: installs a Debian package in a virtual machine with systemd, starts a game
# server, kills and restarts what keeps it, presses the machine's reset button, and looks at what comes back when.
#
#   cargo xtask package && tests/vm/boot.sh target/package/nodepanel_*.deb
#
# Takes about seven minutes without VM_ACCELERATOR=kvm. Needs root, and the Debian packages
# debootstrap, qemu-system-x86 and e2fsprogs. Prints a table; ends with 0 when every check in boot_guest.sh held. The
# machine's whole console is printed too, or written to the file SAID names.
set -euo pipefail

package=$(realpath "${1:?name the package to try}")
. "$(dirname "$0")/image.sh"
virtual=
end() {
  [ -z "$virtual" ] || kill "$virtual" 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT

debian
install -m 644 "$package" "$root/root/nodepanel.deb"
mkdir -p "$root/etc/systemd/system/nodepanel.service.d"
printf '[Service]\nEnvironment=NODEPANEL_ADMIN_EMAIL=admin@example.org "NODEPANEL_ADMIN_PASSWORD=only for this machine"\n' \
  >"$root/etc/systemd/system/nodepanel.service.d/administrator.conf"
at_boot boot_guest.sh
disk

echo "Booting it"
said=${SAID:-$work/said}
: >"$said"
mkfifo "$work/monitor"
exec 3<>"$work/monitor"
(machine 1500 -display none -serial "file:$said" -monitor stdio) <&3 >"$work/monitor.log" 2>&1 &
virtual=$!

# Waits until the machine has said something, or is off.
until_said() {
  until grep -q "$1" "$said"; do
    kill -0 "$virtual" 2>/dev/null || return 1
    sleep 1
  done
}
if until_said "^guest: press reset"; then
  echo "Pressing reset"
  # At once, in the middle of everything: nothing is stopped, nothing is written.
  echo system_reset >&3
fi
wait "$virtual" || tail -5 "$work/monitor.log" >&2
virtual=

[ -n "${SAID:-}" ] || cat "$said"
echo
grep "^guest: FAILED" "$said" || true
awk -F'|' 'BEGIN { printf "%-62s %-12s %s\n", "WHAT", "TARGET", "MEASURED" }
  /^row\|/ { sub(/\r$/, ""); printf "%-62s %-12s %s\n", $2, $3, $4 }' "$said"
grep -q "^guest: every check held" "$said" && ! grep -q "^guest: FAILED" "$said"
