#!/usr/bin/env bash
# Tries the limits of game servers on Debian 12 as users have it: its own kernel, systemd, and control groups of version 2
# alone.
#
#   tests/vm/limits.sh target/release/nodepanel
#
# Builds a disk image with debootstrap and boots it in qemu, which takes about four minutes without acceleration. Needs
# root (debootstrap), and the Debian packages debootstrap, qemu-system-x86 and e2fsprogs. Ends with 0 when every check in
# limits_guest.sh held; what the machine said is printed in any case.
set -euo pipefail

binary=$(realpath "${1:?name the binary to try}")
. "$(dirname "$0")/image.sh"
trap 'rm -rf "$work"' EXIT

debian
install -m 755 "$binary" "$root/usr/local/bin/nodepanel"
at_boot limits_guest.sh
disk

echo "Booting it"
(machine 900 -nographic -no-reboot) </dev/null | tee "$work/said"
grep -q "^guest: every check held" "$work/said"
