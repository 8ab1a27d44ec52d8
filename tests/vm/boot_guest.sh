#!/bin/sh
# Runs in the virtual machine at each boot. First: installs the package, starts a game, and takes away what keeps it, in
# every way that systemd knows. Then somebody presses the reset button; and at the second boot everything must be back.
# Prints what it finds, and as table rows what took how long.
. /usr/local/lib/checks.sh
phase=/srv/phase

# A row of the table: what, the target in words, and how long it took in hundredths of a second.
row() { printf 'row|%s|%s|%d.%02d s\n' "$1" "$2" "$(($3 / 100))" "$(($3 % 100))"; }

# Does something, waits until a condition holds, and prints how long that took as a row.
takes() {
  doing=$1 condition=$2
  shift 2
  begun=$(centiseconds)
  check "$doing" "$@"
  check "$doing, and all is as it should be" until_so "$condition"
  row "$doing" "it happens" "$(($(centiseconds) - begun))"
}

keeper() { systemctl show --property=MainPID --value nodepanel.service; }
state() { nodepanel server show "$1" --json 2>/dev/null | sed -n 's/^ *"state": "\(.*\)",$/\1/p' | head -n 1; }
is_state() { [ "$(state "$1")" = "$2" ]; }
runs() { is_state game running; }
answers() { nodepanel server list --json >/dev/null 2>&1; }
# In the game's own directory it writes, at each start, the seconds since boot.
told() { find /var/lib/nodepanel -name starts -type f -exec cat {} +; }
starts() { told | wc -l; }
game() { grep -slz '[>]>starts' /proc/[0-9]*/cmdline | cut -d / -f 3 | head -n 1; }
alive() { [ -n "$running" ] && [ "$(game)" = "$running" ]; }
everything() { ready 7 && answers && runs && alive; }
other_keeper() { [ "$(keeper)" != "$before" ] && [ "$(keeper)" != 0 ] && everything; }
kill_keeper() { before=$(keeper) && kill -9 "$before"; }
processes() { nodepanel status --json 2>/dev/null | sed -n 's/^ *"pid": \([0-9]*\),$/\1/p'; }
# None is left but the supervisor, which becomes its successor, its keeper, and the game's own.
other_workers() {
  left=0
  for pid in $(processes); do
    case " $before " in *" $pid "*) left=$((left + 1)) ;; esac
  done
  [ "$left" -le 3 ] && everything
}
restart() { before=$(keeper) && systemctl restart nodepanel; }
reload() { before=$(processes | tr '\n' ' ') && systemctl reload nodepanel; }
again() { before=$(processes | tr '\n' ' ') && dpkg --install /root/nodepanel.deb; }
upgrade() { before=$(processes | tr '\n' ' ') && nodepanel upgrade /root/next; }
is_next() { [ "$(sha256sum <"/proc/$1/exe")" = "$(sha256sum </root/next)" ]; }
# The keeper and the game's own are the processes that they were, and everybody is the next build.
all_next() {
  [ "$(keeper)" = "$kept" ] && [ "$(shim)" = "$shim" ] || return 1
  for pid in $(processes); do is_next "$pid" || return 1; done
  everything
}
shim() { grep -slz '^--spec$' /proc/[0-9]*/cmdline | cut -d / -f 3 | sort -n | head -n 1; }
# In a window that is open now, everything is ended and comes back by itself when it is quiet; the supervisor is the last.
open_window() {
  from=$(date -u +%H:%M --date "@$(($(date +%s) - 300))") to=$(date -u +%H:%M --date "@$(($(date +%s) + 7200))")
  sed -i "s/^#renew = true/renew = true/; s/^#window = .*/window = \"daily $from-$to\"/" /etc/nodepanel/nodepanel.toml
  systemctl reload nodepanel
}
close_window() { sed -i 's/^renew = true/#renew = true/' /etc/nodepanel/nodepanel.toml && systemctl reload nodepanel; }
renewals() { nodepanel status --history | grep -c "to renew its proof"; }
# An emulated machine may be too slow for the target, which ends the renewal with the reason; that is no failure of it.
renew() { nodepanel proofs renew --yes || [ "$(renewals)" -gt 0 ]; }
renewed() { [ "$(renewals)" -gt "$renewals" ]; }
same() { [ "$(processes | tr '\n' ' ')" = "$before" ] && everything; }
set_clock() { date --set "@$(($(date +%s) + $1))" >/dev/null; }
# Sets the clock by so many seconds; whoever is there stays, for longer than a machine may be silent.
jump() {
  before=$(processes | tr '\n' ' ')
  check "the clock is set by $1 s" set_clock "$1"
  sleep 5
  check "nobody was replaced, and the game goes on" until_so same
}
stopped() { [ "$(keeper)" = 0 ] && ! nodepanel status >/dev/null 2>&1; }
settled() { # No move is being proven any more; a move is refused until then.
  sleep 15
}

first() {
  echo "guest: Debian $(cat /etc/debian_version), Linux $(uname -r), $(nproc) processors"
  check "the package is installed" dpkg --install /root/nodepanel.deb
  check "the units are enabled" systemctl --quiet is-enabled nodepanel.service nodepanel-servers.service
  check "everything is ready" until_so ready 6
  make game --start --set "COMMAND=sh -c 'cut -d . -f 1,2 /proc/uptime >>starts; echo ready; while read -r line; do :; done'"
  make idle --set "COMMAND=sh -c 'echo ready; while read -r line; do :; done'"
  check "a game server runs" until_so runs
  running=$(game)
  nodepanel doctor
  settled
  # A container has the clock of its host.
  systemd-detect-virt --quiet --container || { jump 30 && jump -30; }
  takes "kill -9 of the keeper: systemd starts it again" other_keeper kill_keeper
  takes "systemctl restart nodepanel" other_keeper restart
  settled
  takes "systemctl reload nodepanel: every worker replaced" other_workers reload
  settled
  takes "dpkg --install of the next package: every worker replaced" other_workers again
  settled
  # A build that differs from the package's in nothing but a byte behind its end.
  cp /usr/bin/nodepanel /root/next && printf x >>/root/next
  kept=$(keeper) shim=$(shim)
  takes "nodepanel upgrade: keeper and shim go on as the next build" all_next upgrade
  settled
  takes "nodepanel proofs renew: keeper and all others ended and back" everything renew
  # A container has the clock and the load of its host.
  [ ! -e /srv/window ] || systemd-detect-virt --quiet --container || {
    # Only proofs older than half of the days are renewed: these are all of today.
    renewals=$(renewals)
    check "the clock is set by four days" set_clock 345600
    check "a maintenance window is opened" open_window
    for _ in 1 2 3 4 5 6 7 8; do until_so renewed && break; done
    check "in it proofs are renewed by themselves" renewed
    nodepanel status --history
    check "the window is closed" close_window
    check "everything is there" until_so everything
  }
  takes "systemctl stop nodepanel: the control plane ends" stopped systemctl stop nodepanel
  check "the game goes on without a control plane" alive
  takes "systemctl start nodepanel: the game is taken up" everything systemctl start nodepanel
  check "the game was started once in all of this" [ "$(starts)" = 1 ]
  nodepanel status
  nodepanel status --history
  journalctl --unit nodepanel --no-pager --output short-monotonic | tail -n 40
  echo second >"$phase"
  sync "$phase"
  echo "guest: press reset"
  sleep 600
}

second() {
  # What is back when, in hundredths of a second since the kernel began; looked at again and again. A container has the
  # kernel of its host: there it counts since systemd began.
  origin=0
  ! systemd-detect-virt --quiet --container ||
    origin=$(($(systemctl show --property=UserspaceTimestampMonotonic --value) / 10000))
  supervisor='' api='' agent='' server=''
  for _ in $(seq 300); do
    status=$(nodepanel status --json 2>/dev/null)
    now=$(($(centiseconds) - origin))
    is_ready() { echo "$status" | grep -A 3 "\"name\": \"$1\"" | grep -q '"state": "ready"'; }
    [ -n "$supervisor" ] || ! is_ready supervisor || supervisor=$now
    [ -n "$api" ] || ! { is_ready api-1 && is_ready api-2; } || api=$now
    [ -n "$agent" ] || ! is_ready agent || agent=$now
    [ -n "$agent" ] && [ -n "$api" ] && runs && server=$(($(centiseconds) - origin)) && break
    sleep 0.2
  done
  unit=$(($(systemctl show --property=ExecMainStartTimestampMonotonic --value nodepanel.service) / 10000 - origin))
  game=$(($(told | tail -n 1 | cut -d ' ' -f 1 | tr -d .) - origin))
  check "the supervisor is back" [ -n "$supervisor" ]
  check "both API servers are back" [ -n "$api" ]
  check "the agent is back" [ -n "$agent" ]
  check "the game server runs again" [ -n "$server" ]
  check "it was started once more" [ "$(starts)" = 2 ]
  check "a server that was stopped stays so" is_state idle stopped
  row "reset: systemd starts the keeper" "it happens" "$unit"
  row "reset: the supervisor answers" "it happens" "$supervisor"
  row "reset: the agent is ready" "it happens" "$agent"
  row "reset: the API servers are ready" "it happens" "$api"
  row "reset: the game's process is there" "it happens" "$game"
  row "reset: the panel shows it running" "it happens" "$server"
  # Looked at in steps, so the agent may have been ready a little before it was seen to be.
  after=$((game > agent ? game - agent : 0))
  row "the game's process after its agent" "<= 5 s" "$after"
  check "the game's process is there 5 s after its agent" [ "$after" -le 500 ]
  sleep 5
  nodepanel status
  nodepanel status --history
  nodepanel doctor
  journalctl --boot --unit nodepanel --no-pager --output short-monotonic
  cat /var/lib/nodepanel/logs/supervisor.log | tail -n 40

  running=$(game)
  check "the package is removed" dpkg --remove nodepanel
  check "its game server has ended" [ -z "$(game)" ]
  check "the data stays" test -s /var/lib/nodepanel/store/store.db
  check "the package is installed again" dpkg --install /root/nodepanel.deb
  check "the game server comes back with it" until_so runs
  check "the package is purged" dpkg --purge nodepanel
  check "the configuration is gone" test ! -e /etc/nodepanel/nodepanel.toml
  check "the data still stays" test -s /var/lib/nodepanel/store/store.db
  [ "$failed" = 0 ] && echo "guest: every check held"
  poweroff -f
}

ip link set lo up
if [ -e "$phase" ]; then second; else
  first
  poweroff -f
fi
