# shellcheck shell=sh disable=SC2034,SC2154
# The containerd of a transaction. Functions only; part of the program that transaction.sh ends.

# Units that boot with the files as they are then: recovery must have ended before.
list_boot_units() {
  echo containerd.service crio.service k3s.service k3s-agent.service rke2-server.service rke2-agent.service kubelet.service docker.service
}

# A way back within 25 s of the restart is not seen by the cluster: a node whose runtime has no CRI becomes NotReady after
# 27 s. So containerd, which needs at most some seconds, gets no more than 20.
limit_patience() {
  if [ "$patience" -lt 20 ]; then echo "$patience"; else echo 20; fi
}

# Fails if containerd cannot be changed now, and notes by which scheme it asks each registry, and what is healthy.
before_change() {
  note_daemon || return 1
  rest_before=$(dump_configuration "$containerd_config" 2>/dev/null | strip_registries)
  note_health
}

# Without CRI a change has nothing to be proven by, unless the present files exclude each other, which the change repairs.
note_missing_cri() {
  dumped=$(dump_configuration "$containerd_config" 2>/dev/null) && excludes_itself && : >"$T/cri-missing"
}

# Sets containerd, containerd_socket and containerd_config; a process that has ended is known from before the change.
locate_containerd() {
  [ -z "${containerd:-}" ] || return 0
  read_unit
  read_fact MainPID
  if [ "${value:-0}" != 0 ]; then
    process=$(print_containerd_of "$value")
    find_containerd_places "$process"
    find_containerd_program "$process"
    printf '%s\n%s\n' "$containerd_socket" "$containerd" >"$T/places"
  elif [ -s "$T/places" ]; then
    { read -r containerd_socket && read -r containerd; } <"$T/places"
    PATH=$PATH:${containerd%/*}
  else
    containerd_socket=/run/containerd/containerd.sock
    containerd=$(command -v containerd)
  fi
  containerd_config=$config_file cri_socket=$containerd_socket
}

# The containerd of a unit whose main process is $1: k0s starts it as a child.
print_containerd_of() {
  if [ "$(cat "/proc/$1/comm")" != containerd ]; then
    note_processes
    for child in $(find_processes containerd); do
      ! grep -qsx "PPid:[[:space:]]*$1" "/proc/$child/status" || { printf '%s' "$child" && return 0; }
    done
  fi
  printf '%s' "$1"
}

# Whether the planned hosts.toml has an https server after its hosts: then the last try shows nothing about them.
is_last_try_https() {
  number=1
  while read_change "$number"; do
    case $path in
      */"$1"/hosts.toml | */_default/hosts.toml | */"${1%:*}_${1##*:}_"/hosts.toml)
        ! grep -qs '^[[:space:]]*server[[:space:]]*=[[:space:]]*["'\'']https:' "$path" || return 0
        ;;
    esac
    number=$((number + 1))
  done
  return 1
}

# Whether CRI is loaded and each registry is asked as planned. What a plugin does at the start is final.
is_as_planned() {
  is_ready && is_asked_as_planned
}

# Replaces the configuration file in arguments, one per line, by a copy of the earlier one if it was changed.
adapt_arguments() {
  number=1
  while read_change "$number"; do
    if [ "$path" = "$config_file" ]; then
      mkdir -p /run/harbor-agent-stand-in
      case $before in
        absent*) : ;;
        *) cat "$T/before.$number" ;;
      esac >/run/harbor-agent-stand-in/config.toml
      sed -e '/^-\{1,2\}config$/{N;d;}' -e '/^-c$/{N;d;}' -e '/^-\{1,2\}config=/d' -e '/^-c=/d'
      echo --config=/run/harbor-agent-stand-in/config.toml
      return 0
    fi
    number=$((number + 1))
  done
  cat
}

# systemd would wait 90 seconds for a daemon that hangs, and the cluster would see that.
restart_keeping_workloads() {
  case ${cause_code:-} in
    containerd-start-timeout | containerd-silent) systemctl kill --kill-who=main --signal=KILL "$unit" 2>/dev/null ;;
  esac
  return 1
}
