# shellcheck shell=sh disable=SC2034,SC2154
# The Docker daemon of a transaction. Functions only; part of the program that transaction.sh ends.

# Units that boot with the files as they are then: recovery must have ended before.
list_boot_units() {
  echo containerd.service docker.socket docker.service
}

limit_patience() {
  echo "$patience"
}

# Files that take effect without an action are the daemon's already.
is_in_effect() {
  :
}

run_docker_client() {
  find_docker_client
  # Docker's restart may stop the process that names another one.
  socket=$(cat "$T/docker.socket" 2>/dev/null)
  DOCKER_HOST=unix://${socket:-/var/run/docker.sock} timeout "$@" 2>/dev/null
}

# Fails if the daemon cannot be changed now, and notes what it has in effect.
before_change() {
  is_active || { fail docker-not-running "$unit is not active"; return 1; }
  read_fact MainPID
  if tr '\0' ' ' <"/proc/$value/cmdline" | grep -q -e '--containerd[= ]/run/containerd/' &&
    ! systemctl is-active --quiet containerd.service; then
    fail containerd-not-running "containerd.service is not active"
    return 1
  fi
  find_docker_socket
  printf '%s\n' "$docker_socket" >"$T/docker.socket"
  # dockerd answers two questions at once.
  list_containers --filter status=running >"$T/workloads.before" &
  listing=$!
  list_in_effect >"$T/live.before" || { wait "$listing"; fail docker-silent "dockerd does not answer"; }
}

# Succeeds with CODE and DETAIL if containerd keeps dockerd from starting: it is stopped by a signal, or does not answer.
name_hindrance() {
  stopped=$(sed -n 's/^\([0-9]*\) (containerd) T .*/\1/p' /proc/[0-9]*/stat 2>/dev/null | tr '\n' ' ')
  if [ -n "$stopped" ]; then
    fail containerd-not-running "containerd is stopped by a signal, so $unit cannot start; on the node: kill -CONT ${stopped% }"
  elif [ -S /run/containerd/containerd.sock ] && command -v ctr >/dev/null 2>&1 && ! timeout 5 ctr version >/dev/null 2>&1; then
    fail containerd-not-running "containerd does not answer, so $unit cannot start"
  else
    return 1
  fi
  return 0
}

# The live list, one entry per line; sets version. Fails if the daemon does not answer, which only the answer's content
# shows: docker.socket keeps listening while dockerd is down, and newer clients then print an empty answer with status 0.
list_in_effect() {
  # shellcheck disable=SC2016 # a Go template
  answer=$(run_docker_client 5 docker info --format 'server {{.ServerVersion}}{{println}}{{with .RegistryConfig}}{{range .InsecureRegistryCIDRs}}cidr {{json .}}{{println}}{{end}}{{range $name, $index := .IndexConfigs}}{{if not $index.Secure}}entry {{$name}}{{println}}{{end}}{{end}}{{range .Mirrors}}mirror {{.}}{{println}}{{end}}{{end}}') || return 1
  case $answer in "server "[0-9]*) version=${answer#* } ;; *) return 1 ;; esac
  printf '%s\n' "$answer" | sed -n '2,$p' | tr -d '"' | grep . | sort -u
}

is_listed() {
  case "
$2
" in *"
entry $1
"* | *"
cidr $1
"*) return 0 ;; esac
  return 1
}

# SIGHUP. Its status does not show whether dockerd accepted the file; the live list does.
reload() {
  read_unit
  read_fact CanReload
  if [ "$value" = yes ]; then
    systemctl reload "$unit" 2>/dev/null
  else
    read_fact MainPID
    kill -HUP "$value" 2>/dev/null
  fi
}

# Whether the live list has the expected entries and no unexpected one. After a restart the first answer is final.
is_as_planned() {
  again=1
  if [ "$action" = restart ]; then again=2; fi
  if ! live=$(list_in_effect); then
    fail docker-silent "dockerd does not answer"
    has_started || { verdict=$?; fail docker-start-failed "$(print_last_error)" || return "$verdict"; }
    return 1
  fi
  while read -r keyword entry; do
    case $keyword in
      expected) is_listed "$entry" "$live" || { fail registry-not-live "$entry is not in the daemon's live list"; return "$again"; } ;;
      unexpected) ! is_listed "$entry" "$live" || { fail registry-not-live "$entry is still in the daemon's live list"; return "$again"; } ;;
    esac
  done <"$T/plan"
}

# Whether the plan's entries are in the live list, or are not, as they were before the change.
is_as_before() {
  is_active && live=$(list_in_effect) || return 1
  known=$(cat "$T/live.before")
  while read -r keyword entry; do
    case $keyword in expected | unexpected) ;; *) continue ;; esac
    if is_listed "$entry" "$known"; then
      is_listed "$entry" "$live" || return 1
    elif is_listed "$entry" "$live"; then
      return 1
    fi
  done <"$T/plan"
}

# Replaces the configuration file in arguments, one per line, by a copy of the earlier one if it was changed.
adapt_arguments() {
  number=1
  while read_change "$number"; do
    if [ "$path" = "$config_file" ]; then
      mkdir -p /run/harbor-agent-stand-in
      case $before in
        absent*) printf '{}\n' ;;
        *) cat "$T/before.$number" ;;
      esac >/run/harbor-agent-stand-in/daemon.json
      sed -e '/^--config-file$/{N;d;}' -e '/^--config-file=/d'
      echo --config-file=/run/harbor-agent-stand-in/daemon.json
      return 0
    fi
    number=$((number + 1))
  done
  cat
}
