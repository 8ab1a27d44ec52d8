#!/bin/sh
# A game server that costs next to nothing, for tests and benchmarks: one shell, under 1 MB (and awk while it floods).
#
# Usage: stub.sh [PORT]
# It prints "Stub ready on port PORT" at once and then obeys its standard input, a line at a time:
#   stop           says "Stopping" and ends with code 0
#   crash N        ends with code N (1 when left out)
#   hang           ignores everything but SIGKILL, this console too
#   flood N [TEXT] prints N lines "flood 1 TEXT" ... as fast as it can
#   err TEXT       prints TEXT to standard error
#   env            prints its environment
# Any other line is printed back as "> LINE". SIGTERM and SIGINT end it with code 0 after "Stopping".
# It ends with code 0 when its input ends.

trap 'echo Stopping; exit 0' TERM INT

echo "Stub ready on port ${1:-0}"

while IFS= read -r line; do
  command=${line%% *}
  rest=
  [ "$command" = "$line" ] || rest=${line#* }
  case $command in
    stop)
      echo Stopping
      exit 0
      ;;
    crash)
      exit "${rest:-1}"
      ;;
    hang)
      trap '' TERM INT
      # Stopped, it costs nothing, and only SIGKILL ends it.
      kill -STOP $$
      ;;
    flood)
      count=${rest%% *}
      text=
      [ "$count" = "$rest" ] || text=${rest#* }
      # A shell's own loop is too slow to be a flood.
      awk -v n="$count" -v text="$text" 'BEGIN { for (i = 1; i <= n; i++) print "flood", i, text }'
      ;;
    err)
      echo "$rest" >&2
      ;;
    env)
      env
      ;;
    *)
      printf '> %s\n' "$line"
      ;;
  esac
done
