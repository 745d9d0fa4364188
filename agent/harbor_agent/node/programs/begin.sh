# shellcheck shell=sh disable=SC2015,SC2154
# How a transaction begins: the node's lock, the transaction's files, and the unit that runs it detached from the
# connection. Functions only; part of the program that transaction.sh ends.

print_lock_state() {
  systemctl show "$LOCK" -p ActiveState 2>/dev/null | sed -n 's/^ActiveState=//p'
}

print_lock_holder() {
  systemctl show "$LOCK" -p Description 2>/dev/null | sed -n 's/^Description=harbor-agent transaction //p'
}

is_locked() {
  case $(print_lock_state) in active | activating | deactivating | reloading) return 0 ;; esac
  return 1
}

begin() {
  require_node || return 0
  # A repeated begin of the same transaction only waits for it.
  if [ ! -f "$T/journal" ]; then
    wait_for_lock && require_no_other || return 0
    unpack || { refuse state-not-writable "$STATE cannot be written: $trouble"; return 0; }
    load
    start_unit run || { rm -rf "$T"; return 0; }
  fi
  wait_until_final
  if [ ! -f "$T/journal" ] && ensure_state; then
    start_unit finish || return 0
    wait_until_final
  fi
  if [ -f "$T/journal" ]; then report; else report_removed_state; fi
}

# The state directory was removed, and with it what the transaction had in it: the files show how far it came.
report_removed_state() {
  mkdir -p "$COPY" && printf '%s' "$PAYLOAD_PLAN" | base64 -d >"$COPY/plan" || { report; return 0; }
  T=$COPY phase=refused found='' number=1
  while read_change "$number"; do
    case $(fingerprint "$path") in
      "$before") found="$found; $path is as before" ;;
      "$after") phase=running found="$found; $path is as planned" ;;
      *) phase=running found="$found; $path is neither as before nor as planned" ;;
    esac
    number=$((number + 1))
  done
  [ "$phase" = running ] || disarm
  rm -rf "$COPY"
  print_frame "$ID" "$phase" '' state-removed "$(encode "$STATE was removed while the transaction ran$found")"
}

# Prints the refusal of a transaction without a journal, and fails.
refuse() {
  print_frame "$ID" refused preflight "$1" "$(encode "$2")"
  return 1
}

require_node() {
  if [ "$(id -u)" != 0 ]; then
    refuse not-root "changing a node takes root"
  elif [ ! -d /run/systemd/system ]; then
    refuse no-systemd "the node does not run systemd"
  elif ! command -v systemd-run >/dev/null 2>&1; then
    refuse no-systemd "the node has no systemd-run"
  fi
}

# Most transactions end within this time; after it the holder is named. What it changed meanwhile is found by preflight.
wait_for_lock() {
  until_deadline $(($(now) + 20)) is_unlocked && return 0
  # It may have ended between the two questions.
  is_locked || return 0
  refuse transaction-running "transaction $(print_lock_holder) is under way on this node"
}

is_unlocked() {
  ! is_locked
}

# A transaction that changed files and did not end must be rolled back first, or the next backup would be of a half-done
# state. One that could not be restored is still armed: the next boot would also restore what came after it.
require_no_other() {
  other=$(print_armed_transaction)
  [ -n "$other" ] || return 0
  if is_final "$STATE/transactions/$other" && [ "$step" != rollback_failed ]; then return 0; fi
  refuse transaction-pending "transaction $other was interrupted and is not rolled back yet"
}

# Sets trouble where it fails.
unpack() {
  trouble=$(
    exec 2>&1
    # Behind a link, recovery at boot might find a directory that is not mounted yet.
    for place in "$STATE" "$STATE/transactions" "$STATE/record" "$STATE/pristine"; do
      [ ! -L "$place" ] || { echo "$place is a symbolic link" && exit 1; }
    done
    mkdir -p "$STATE/transactions" "$STATE/record" && chmod 0700 "$STATE" && mkdir "$T" || exit 1
    printf '%s' "$PAYLOAD_PLAN" | base64 -d >"$T/plan" &&
      printf '%s' "$PAYLOAD_PROGRAM" | base64 -d >"$T/transaction.sh" &&
      printf '%s' "$PAYLOAD_RECORD" | base64 -d >"$T/record" || exit 1
    content='' number=1
    while read_change "$number"; do
      eval "content=\$PAYLOAD_CONTENT_$number"
      case $after in regular*) printf '%s' "$content" | base64 -d >"$T/after.$number" || exit 1 ;; esac
      number=$((number + 1))
    done
    [ "$(tail -n 1 "$T/plan")" = end ] && cat /proc/sys/kernel/random/boot_id >"$T/boot-id" || exit 1
    sync "$T"/* && sync "$T" "$STATE/transactions" && journal begun && sync "$T"
  ) && return 0
  rm -rf "$T"
  return 1
}

# The unit's name is the lock: systemd starts only one. Older versions lack some of the options.
start_unit() {
  version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  systemctl reset-failed "$LOCK" 2>/dev/null
  set -- /bin/sh "$T/transaction.sh" "$1" "$ID"
  if [ "$version" -ge 236 ]; then
    set -- --collect -p TimeoutStopSec=300 -p "RuntimeMaxSec=$((patience * 2 + 120))" -p "ExecStopPost=/bin/sh $T/transaction.sh finish $ID" "$@"
  fi
  if [ "$version" -ge 240 ]; then set -- --service-type=exec "$@"; fi
  # During recovery at boot the unit starts later than recovery ends.
  case " $* " in *" settle $ID ") set -- --no-block "$@" ;; esac
  if ! try_start_unit "$@"; then
    if is_locked; then
      refuse transaction-running "transaction $(print_lock_holder) is under way on this node"
    else
      refuse transaction-not-started "$trouble"
    fi
    return 1
  fi
}

# A unit that has just ended stays loaded for a moment.
try_start_unit() {
  attempts=0
  until trouble=$(systemd-run --quiet --unit="$LOCK" --description="harbor-agent transaction $ID" \
    -p KillMode=mixed "$@" 2>&1); do
    attempts=$((attempts + 1))
    case $trouble in *'already loaded'* | *'already exists'*) ;; *) return 1 ;; esac
    if is_locked || [ "$attempts" -gt 10 ]; then return 1; fi
    sleep 1
    systemctl reset-failed "$LOCK" 2>/dev/null
  done
}

wait_until_final() {
  until_deadline $(($(now) + patience * 2 + 180)) is_final_or_gone
}

# Prints the step that the transaction has reached, for a controller that shows it. In a subshell: if the connection is
# lost, it ends instead of what waits.
show_step() {
  [ -n "$step" ] && [ "$step" != "${shown_step:-}" ] || return 0
  shown_step=$step
  (printf 'harbor-agent/step/1 %s\n' "$step") 2>/dev/null
}

is_final_or_gone() {
  is_final && return 0
  show_step
  # The journal is read all the time; systemd is asked once a second, for that costs CPU that the daemon needs.
  read -r asking _ </proc/uptime
  [ "${asking%.*}" != "${asked_at:-}" ] || return 1
  asked_at=${asking%.*}
  is_locked && return 1
  # The unit may have ended between the two questions.
  is_final
  return 0
}
