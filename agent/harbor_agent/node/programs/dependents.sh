# shellcheck shell=sh disable=SC2034,SC2154
# The units that systemd stops together with the runtime's unit, such as a kubelet.service with Requires=docker.service.
# A restart that succeeds starts them again; one that fails leaves them stopped, and their Restart= does not count.
# Functions only; part of the program that transaction.sh ends.

# Prints those that are active now, also through others (systemd.unit(5)).
# shellcheck disable=SC2086 # a word for each unit
list_dependents() {
  known=" $unit " queue=$unit
  while [ -n "$queue" ]; do
    next=''
    for dependent in $(systemctl show $queue -p RequiredBy,RequisiteOf,BoundBy,ConsistsOf,PropagatesStopTo 2>/dev/null |
      sed 's/^[A-Za-z]*=//'); do
      case $known in *" $dependent "*) continue ;; esac
      known="$known$dependent " next="$next $dependent"
    done
    queue=$next
  done
  set -- ${known#" $unit "}
  [ "$#" -gt 0 ] || return 0
  for state in $(systemctl is-active "$@" 2>/dev/null); do
    [ "$state" != active ] || printf '%s\n' "$1"
    shift
  done
}

# Whether all of them are active again; sets missing, and CODE and DETAIL.
# shellcheck disable=SC2046 # a word for each unit
are_dependents_back() {
  missing=''
  set -- $(cat "$T/dependents.before" 2>/dev/null)
  [ "$#" -gt 0 ] || return 0
  for state in $(systemctl is-active "$@" 2>/dev/null); do
    [ "$state" = active ] || missing="$missing${missing:+ }$1"
    shift
  done
  [ -z "$missing" ] || fail units-not-running "not running again: $missing"
}

# Starts those that are not active again and waits for them; fails with CODE and DETAIL. A target is started without the
# units that it wants, because an administrator may have stopped some of them.
start_dependents() {
  are_dependents_back && return 0
  for dependent in $missing; do
    systemctl reset-failed "$dependent" 2>/dev/null
    case $dependent in
      *.target) systemctl start --no-block --job-mode=ignore-dependencies "$dependent" ;;
      *) systemctl start --no-block "$dependent" ;;
    esac
  done
  # One that ends at once is active for a moment, so it must be active a second later too.
  until_deadline $(($(now) + 20)) are_dependents_back && sleep 1 && are_dependents_back
}
