# shellcheck shell=sh disable=SC2034,SC2154
# The systemd unit of the runtime, and waiting for it. Functions only; part of the program that transaction.sh ends.

now() {
  read -r seconds _ </proc/uptime
  printf '%s' "${seconds%.*}"
}

# Polls FUNCTION until it succeeds (0), it gives up (2), or the deadline, in seconds of uptime, passes.
until_deadline() {
  while :; do
    [ -f "${T:-}/plan" ] || ensure_state
    "$2"
    verdict=$?
    [ "$verdict" = 1 ] || return "$verdict"
    read -r seconds _ </proc/uptime
    [ "${seconds%.*}" -lt "$1" ] || return 1
    sleep 0.05 2>/dev/null || sleep 1
  done
}

# Asks systemd once; fact NAME sets value from the answer.
read_unit() {
  facts=$newline$(systemctl show "$unit" -p ActiveState,SubState,Job,MainPID,CanReload,InvocationID 2>/dev/null)$newline
}

read_fact() {
  value=${facts#*"$newline$1="}
  if [ "$value" = "$facts" ]; then value=''; else value=${value%%"$newline"*}; fi
}

is_active() {
  read_unit
  read_fact ActiveState
  [ "$value" = active ]
}

# Neither systemd's next attempt nor a client at its socket starts the unit until restart_unit does.
hold_unit() {
  socket=${unit%.service}.socket
  if systemctl is-active --quiet "$socket" 2>/dev/null && printf '%s\n' "$socket" >"$T/held"; then
    systemctl stop "$socket" 2>/dev/null
  fi
  systemctl stop "$unit" 2>/dev/null
}

# Restarts and waits; fails with CODE and DETAIL if it is not active before $1.
restart_unit() {
  systemctl reset-failed "$unit" "${unit%.service}.socket" 2>/dev/null
  if [ -s "$T/held" ]; then systemctl start "$(cat "$T/held")" 2>/dev/null; fi
  restarted_at=$(date +%s)
  left=$(($1 - $(now)))
  # Waiting costs nothing here, and asking again and again takes from what the daemon needs to start.
  said=$(timeout "$((left > 0 ? left : 1))" systemctl restart "$unit" 2>&1)
  case $?:$said in
    0:* | 124:* | 143:* | *:'Job for '*) ;;
    *)
      fail "$runtime-start-failed" "$said"
      return 1
      ;;
  esac
  until_deadline "$1" has_started
  case $? in
    0) return 0 ;;
    2) fail "$runtime-start-failed" "$(print_last_error)" ;;
    *)
      name_hindrance || fail "$runtime-start-timeout" "$unit was not active in time"
      return 1
      ;;
  esac
}

has_started() {
  read_unit
  case $facts in
    *SubState=auto-restart*) return 2 ;;
    *Job=[1-9]*) return 1 ;;
    *ActiveState=active*) return 0 ;;
    *ActiveState=failed* | *ActiveState=inactive*) return 2 ;;
  esac
  return 1
}

# The daemon's last error message; passwords in addresses are masked.
print_last_error() {
  timeout 5 journalctl --sync >/dev/null 2>&1
  read_unit
  read_fact InvocationID
  said=$(journalctl "_SYSTEMD_INVOCATION_ID=$value" -n 40 -o cat --no-pager 2>/dev/null | filter_complaints)
  [ -n "$said" ] || said=$(print_unit_messages | filter_complaints)
  # If it printed none, systemd knows which process ended and how, even after it has started another one.
  if [ -z "$said" ]; then
    words=$(journalctl -b "UNIT=$unit" -n 20 -o cat --no-pager 2>/dev/null | grep -E 'process exited|Failed to|timed out')
    said=$(printf '%s\n' "$words" | grep -v 'Failed to' | tail -n 1)
    said=${said:-$(printf '%s\n' "$words" | tail -n 1)}
  fi
  printf '%s' "${said:-$unit did not start}" | sed 's,://[^/@ ]*@,://***@,g; s/^Status: //' | cut -c1-400
}

# A module that is not there stops no unit that says ExecStartPre=-modprobe, and that is all of them that we know.
filter_complaints() {
  grep -v '^modprobe: ' | grep -iE 'failed to|unable to|fatal|error|cannot|invalid|unknown' | tail -n 1
}

# The unit's messages since systemd began the restart, without systemd's own. By now systemd may have begun another
# attempt, and if a process ended at once, journald does not always know which attempt it belongs to.
print_unit_messages() {
  [ -n "${restarted_at:-}" ] || return 0
  journalctl "_SYSTEMD_UNIT=$unit" + "UNIT=$unit" --since "@$restarted_at" -o cat --no-pager 2>/dev/null |
    sed -n '/^Starting /,$p' | grep -v -e "^$unit: " -e '^Starting ' -e '^Failed to start '
}
