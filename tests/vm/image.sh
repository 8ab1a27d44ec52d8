# Makes a disk with Debian 12 for the tries in a virtual machine. Sourced by them; sets `work`, a directory that is gone
# at the end, and needs root.
#
# VM_CACHE=DIR keeps what was downloaded for the next try. VM_ACCELERATOR=kvm has the processor help, where it can;
# a machine that is itself a virtual one often has a /dev/kvm that cannot.
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
for program in debootstrap qemu-system-x86_64 mkfs.ext4; do
  command -v "$program" >/dev/null || {
    echo "$program is missing: apt-get install debootstrap qemu-system-x86 e2fsprogs" >&2
    exit 2
  }
done

work=$(mktemp -d)
root=$work/root
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
packages=systemd,systemd-sysv,udev,kmod,linux-image-cloud-amd64,iproute2,python3-minimal

# Unpacks Debian into $root.
debian() {
  local kept=${VM_CACHE:+$VM_CACHE/bookworm.tar}
  mkdir "$root"
  if [ -n "$kept" ] && [ -f "$kept" ]; then
    tar -C "$root" -xf "$kept"
  else
    echo "Building Debian 12"
    debootstrap --variant=minbase --include=$packages bookworm "$root" "$mirror" >"$work/debootstrap.log" || {
      tail -20 "$work/debootstrap.log" >&2
      exit 2
    }
    [ -z "$kept" ] || { mkdir -p "$VM_CACHE" && tar -C "$root" -cf "$kept" .; }
  fi
  # The console belongs to the checks alone.
  ln -s /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
}

# Has a script of this directory run at each boot.
at_boot() {
  install -m 755 "$here/$1" "$root/usr/local/sbin/guest"
  install -m 644 "$here/checks.sh" "$root/usr/local/lib/checks.sh"
  install -m 644 "$here/guest.service" "$root/etc/systemd/system/guest.service"
  ln -s ../guest.service "$root/etc/systemd/system/multi-user.target.wants/guest.service"
}

# Makes the disk from $root.
disk() {
  truncate -s 2G "$work/disk"
  mkfs.ext4 -q -F -d "$root" "$work/disk"
}

# Starts the machine for at most SECONDS; what it says goes to the other arguments of qemu.
machine() {
  local seconds=$1 accelerator=${VM_ACCELERATOR:-tcg,thread=multi}
  shift
  exec timeout "$seconds" qemu-system-x86_64 -accel "$accelerator" -cpu max -smp 2 -m 2048 -net none \
    -kernel "$root"/boot/vmlinuz-* -initrd "$root"/boot/initrd.img-* \
    -append "root=/dev/vda rw console=ttyS0 quiet panic=1" \
    -drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" "$@"
}
