# What the scripts in the virtual machine have in common. Sourced by them.
if [ -c /dev/ttyS0 ]; then exec >/dev/ttyS0 2>&1; else exec >>/srv/said 2>&1; fi
export HOME=/root
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

ready() { [ "$(nodepanel status --json 2>/dev/null | grep -c '"state": "ready"')" -ge "${1:-5}" ]; }
make() {
  name=$1
  shift
  nodepanel server create "$name" --template any-command --set READY_TEXT=ready "$@"
}
centiseconds() { sed 's/ .*//; s/\.//' /proc/uptime; }
