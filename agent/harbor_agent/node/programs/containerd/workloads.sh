# shellcheck shell=sh disable=SC2034,SC2154
# The containers of a transaction with containerd. Functions only; part of the program that transaction.sh ends.
#
# containerd keeps a directory of each container that runs, with the PID of its first process. It is read from there, so
# that it is known whether a container kept running even when containerd does not answer.

note_workloads() {
  locate_containerd
  list_workloads >"$T/workloads.before" || fail state-not-writable "$T/workloads.before cannot be written"
}

# "PID STARTED NAME": a later process may have the same PID, but not the same start. Fails if they cannot be printed.
list_workloads() {
  for file in "${containerd_socket%/*}"/io.containerd.runtime.v*/*/*/init.pid; do
    # It has no line end.
    process=''
    read -r process 2>/dev/null <"$file" || [ -n "$process" ] || continue
    started=$(print_start_ticks "$process") || continue
    printf '%s %s %s\n' "$process" "$started" "$(print_workload_name "${file%/*}")" || return 1
  done
}

# proc(5): field 22 of stat, after the name in parentheses.
print_start_ticks() {
  state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) && [ -n "$state" ] || return 1
  case $state in Z*) return 1 ;; esac
  printf '%s' "$state" | cut -d ' ' -f 20
}

# NAMESPACE/POD/CONTAINER of CRI's containers, else the ID.
print_workload_name() {
  named=$(grep -oE '"io\.kubernetes\.cri\.(sandbox-namespace|sandbox-name|container-name)":"[^"]*"' "$1/config.json" 2>/dev/null)
  pod=$(printf '%s\n' "$named" | sed -n 's/.*sandbox-namespace":"\(.*\)"$/\1/p')/$(printf '%s\n' "$named" | sed -n 's/.*sandbox-name":"\(.*\)"$/\1/p')
  container=$(printf '%s\n' "$named" | sed -n 's/.*container-name":"\(.*\)"$/\1/p')
  case $pod in
    /) printf '%s' "${1##*/}" | cut -c1-12 ;;
    *) printf '%s' "$pod${container:+/$container}" ;;
  esac
}

# With KillMode=process a restart of the unit ends no container.
keep_workloads() {
  :
}

# Whether the containers still run; sets lost. If one kept running, another one that is missing ended on its own, and
# kubelet starts it again. With another KillMode all of them end, which was accepted; those that kubelet does not start
# again are reported.
are_workloads_back() {
  lost='' kept=0
  [ -s "$T/workloads.before" ] || return 0
  while read -r process started name; do
    if [ "$(print_start_ticks "$process")" = "$started" ]; then kept=$((kept + 1)); else lost="$lost${lost:+ }$name"; fi
  done <"$T/workloads.before"
  [ "$kept" -eq 0 ] || return 0
  if [ "$(systemctl show "$unit" -p KillMode 2>/dev/null)" = KillMode=process ]; then
    fail containers-not-running "the restart ended $lost"
    return 2
  fi
  find_unreturned_workloads || ! has_health kubelet || until_deadline $(($(now) + 20)) find_unreturned_workloads
  return 0
}

# Sets lost to the containers of which none of the same name runs; fails if there are some.
find_unreturned_workloads() {
  running=$newline$(list_workloads | sed 's/^[^ ]* [^ ]* //')$newline
  lost=''
  while read -r _ _ name; do
    case $running in *"$newline$name$newline"*) ;; *) lost="$lost${lost:+ }$name" ;; esac
  done <"$T/workloads.before"
  [ -z "$lost" ]
}
