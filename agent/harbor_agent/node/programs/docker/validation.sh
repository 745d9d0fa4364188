# shellcheck shell=sh disable=SC2034,SC2154
# Whether dockerd would take the planned configuration. Functions only; part of the program that transaction.sh ends.

# dockerd checks the planned arguments and file without starting.
judge() {
  # dockerd looks for docker-proxy in the PATH of its unit, which may be /opt/kube/bin.
  read_fact MainPID
  own=$(tr '\0' '\n' <"/proc/$value/environ" | sed -n 's/^PATH=//p')
  PATH=$PATH${own:+:$own}
  remove_stages
  stage=$(mktemp -d /run/harbor-agent.XXXXXX) || { fail state-not-writable /run; return 1; }
  print_planned_configuration >"$stage/daemon.json"
  chmod 0400 "$stage/daemon.json"
  # Before 23.0 there is no --validate, but an unprivileged dockerd reports everything else before its missing rights.
  if [ "${version%%.*}" -lt 23 ]; then chmod 0711 "$stage" && chown 65534 "$stage/daemon.json"; fi
  answer=$(print_planned_arguments | run_validation 2>&1)
  status=$?
  rm -rf "$stage"
  case $status:$answer in
    0:* | *'root privileges'* | *'be run as root'* | *'needs to be started with root'*) return 0 ;;
    124:* | 137:* | 143:*) fail dockerd-rejects-configuration "dockerd did not finish checking the configuration" ;;
    *)
      fail dockerd-rejects-configuration "$(printf '%s\n' "$answer" | grep . | grep -v '^See ' | tail -n 1 |
        sed "s,$stage/daemon.json,$config_file,g; s,://[^/@ ]*@,://***@,g; s/^Status: //; s/, See .*//")"
      ;;
  esac
}

# dockerd has judged all of the planned files before.
judge_swapped() {
  :
}

# Removes what a killed check left behind: a copy of the file may hold a proxy's password. No other one runs: the lock.
remove_stages() {
  rm -rf /run/harbor-agent.??????
}

# The planned content of the configuration file; an absent one is the empty object.
print_planned_configuration() {
  number=1
  while read_change "$number"; do
    if [ "$path" = "$config_file" ]; then
      case $after in absent*) printf '{}\n' ;; *) cat "$T/after.$number" ;; esac
      return 0
    fi
    number=$((number + 1))
  done
  if [ -f "$config_file" ]; then cat "$config_file"; else printf '{}\n'; fi
}

# One argument a line: the planned ones, else those of the running process.
print_planned_arguments() {
  planned=$(print_plan_value arguments)
  if [ -n "$planned" ]; then
    printf %s "$planned" | base64 -d | tr '\0' '\n'
  else
    read_fact MainPID
    tr '\0' '\n' <"/proc/$value/cmdline"
  fi
}

run_validation() {
  read -r program || return 0
  # No other program is started: a script might start a second daemon.
  case ${program##*/} in
    dockerd | docker | dockerd-ce | docker-ce | dockerd-current | docker-current | dockerd-latest | docker-latest) ;;
    *) echo "$program is not dockerd itself"; return 1 ;;
  esac
  set --
  while read -r argument; do
    case $argument in
      --config-file) read -r argument ;;
      --config-file=*) ;;
      *) set -- "$@" "$argument" ;;
    esac
  done
  set -- "$program" "$@" --config-file "$stage/daemon.json"
  if [ "${version%%.*}" -ge 23 ]; then
    timeout 15 "$@" --validate
  elif command -v setpriv >/dev/null 2>&1; then
    timeout 15 setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs env -i PATH="$PATH" "$@"
  fi
}
