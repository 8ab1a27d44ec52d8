#!/usr/bin/env bash
# Tries a NodePanel binary on Debian 12 as users have it: its own kernel, systemd, and control groups of version 2 alone.
#
#   tests/vm/run.sh target/release/nodepanel
#
# Builds a disk image with debootstrap and boots it in qemu without acceleration, which takes about four minutes. Needs
# root (debootstrap), and the Debian packages debootstrap, qemu-system-x86 and e2fsprogs. Ends with 0 when every check in
# guest.sh held; what the machine said is printed in any case.
set -euo pipefail

binary=$(realpath "${1:?name the binary to try}")
here=$(realpath "$(dirname "$0")")
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
for program in debootstrap qemu-system-x86_64 mkfs.ext4; do
  command -v "$program" >/dev/null || {
    echo "$program is missing: apt-get install debootstrap qemu-system-x86 e2fsprogs" >&2
    exit 2
  }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

echo "Building Debian 12"
debootstrap --variant=minbase --include=systemd,systemd-sysv,udev,kmod,linux-image-cloud-amd64,iproute2,python3-minimal \
  bookworm "$root" "$mirror" >"$work/debootstrap.log" || { tail -20 "$work/debootstrap.log" >&2; exit 2; }
install -m 755 "$binary" "$root/usr/local/bin/nodepanel"
install -m 755 "$here/guest.sh" "$root/usr/local/sbin/guest"
install -m 644 "$here/guest.service" "$root/etc/systemd/system/guest.service"
ln -s ../guest.service "$root/etc/systemd/system/multi-user.target.wants/guest.service"
# The console belongs to the checks alone.
ln -s /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
truncate -s 2G "$work/disk"
mkfs.ext4 -q -F -d "$root" "$work/disk"

echo "Booting it"
timeout 900 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nographic -no-reboot -net none \
  -kernel "$root"/boot/vmlinuz-* -initrd "$root"/boot/initrd.img-* -append "root=/dev/vda rw console=ttyS0 quiet panic=1" \
  -drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" </dev/null | tee "$work/said"
grep -q "^guest: every check held" "$work/said"
