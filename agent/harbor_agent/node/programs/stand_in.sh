# shellcheck shell=sh disable=SC2034,SC2154
# A drop-in in /run that starts the runtime with its earlier arguments if a file below /etc cannot be restored, for
# example because it became read-only. It is gone after the next boot. Functions only; part of the program that
# transaction.sh ends. The runtime's adapt_arguments changes the arguments, one per line, if they name a changed file.

print_stand_in_path() {
  printf '/run/systemd/system/%s.d/zzzz-harbor-agent.conf' "$unit"
}

# Notes the arguments and the program of the process that read_unit found.
note_process() {
  read_fact MainPID
  tr '\0' '\n' <"/proc/$value/cmdline" >"$T/arguments.before" && readlink "/proc/$value/exe" >"$T/program.before"
}

# Fails with DETAIL if that does not bring back what was in effect.
start_as_before() {
  DETAIL='its earlier arguments are not known'
  [ -s "$T/arguments.before" ] || return 1
  deadline=$(($(now) + patience))
  stand_in=$(print_stand_in_path)
  mkdir -p "${stand_in%/*}" && print_stand_in >"$stand_in" && systemctl daemon-reload || return 1
  restart_unit "$deadline" || return 1
  until_deadline "$deadline" is_as_before || { fail restore-failed "the daemon's live list is not what it was"; return 1; }
  start_dependents || return 1
  await_workloads
  return 0
}

# The last ExecStart= of all drop-ins counts, in the order of their file names (systemd.unit(5)).
print_stand_in() {
  printf '[Service]\nExecStart=\nExecStart='
  adapt_arguments <"$T/arguments.before" | {
    read -r program
    case $program in /*) ;; *) program=$(cat "$T/program.before") ;; esac
    quote_argument "$program"
    while IFS= read -r argument; do quote_argument "$argument"; done
  }
  printf '\n'
}

quote_argument() {
  printf '"%s" ' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g; s/%/%%/g; s/\$/$$/g')"
}

remove_stand_in() {
  [ -e "$(print_stand_in_path)" ] || return 0
  rm -rf "$(print_stand_in_path)" /run/harbor-agent-stand-in
  rmdir "/run/systemd/system/$unit.d" 2>/dev/null
  systemctl daemon-reload
}
