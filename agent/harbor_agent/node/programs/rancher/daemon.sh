# shellcheck shell=sh disable=SC2034,SC2154
# The k3s or RKE2 of a transaction. Functions only; part of the program that transaction.sh ends.
#
# They read registries.yaml at their start only, write the configuration of containerd from it, and start containerd.

# Units that boot with the files as they are then: recovery must have ended before.
list_boot_units() {
  echo k3s.service k3s-agent.service rke2-server.service rke2-agent.service kubelet.service
}

# A server starts etcd and the API server too, which takes longer than the cluster waits for a node.
limit_patience() {
  echo "$patience"
}

before_change() {
  note_daemon && note_health
}

# No change of registries.yaml brings CRI back.
note_missing_cri() {
  return 1
}

# Sets containerd, containerd_socket and containerd_config; a process that has ended is known from before the change.
locate_containerd() {
  [ -z "${containerd:-}" ] || return 0
  containerd_socket=/run/k3s/containerd/containerd.sock
  note_processes
  if find_containerd_behind "$containerd_socket"; then
    find_containerd_program "$containerd_pid"
    printf '%s\n%s\n' "$containerd_config" "$containerd" >"$T/places"
  elif [ -s "$T/places" ]; then
    { read -r containerd_config && read -r containerd; } <"$T/places"
    PATH=$PATH:${containerd%/*}
  fi
  containerd_socket=/run/k3s/containerd/containerd.sock
  cri_socket=$containerd_socket
}

# Neither has a command that checks registries.yaml: the planner has parsed it, and the start is the check.
judge() {
  :
}

judge_swapped() {
  :
}

remove_stages() {
  :
}

# Whether CRI is loaded, containerd's configuration names each registry, and containerd asks it as planned. A server may
# need longer to be healthy again than others do.
is_as_planned() {
  is_ready || return
  while read -r keyword entry; do
    [ "$keyword" != expected ] || is_written "$entry" ||
      fail registry-not-live "the configuration of containerd in ${containerd_config%/*} does not have http://$entry" || return 2
  done <"$T/plan"
  is_asked_as_planned || return
  [ "$action" = none ] || is_node_healthy
}

# Whether containerd is sent to a registry by plain HTTP: by a hosts.toml, or by the mirrors that older ones write.
is_written() {
  grep -rqsF -e "\"http://$1\"" -e "\"http://$1/" "${containerd_config%/*}/certs.d" "$containerd_config"
}

# The hosts.toml that they write has an https server after its hosts: then the last try shows nothing about them.
is_last_try_https() {
  for folder in "${1%:*}_${1##*:}_" "$1" _default; do
    ! grep -qs '^[[:space:]]*server[[:space:]]*=[[:space:]]*["'\'']https:' "${containerd_config%/*}/certs.d/$folder/hosts.toml" || return 0
  done
  return 1
}

# Adds a copy of the earlier registries.yaml to the command of the unit: the arguments of the process, on standard input,
# are hidden.
adapt_arguments() {
  mkdir -p /run/harbor-agent-stand-in
  number=1
  while read_change "$number"; do
    if [ "$path" = "$config_file" ]; then
      case $before in
        absent*) : ;;
        *) cat "$T/before.$number" ;;
      esac >/run/harbor-agent-stand-in/registries.yaml
    fi
    number=$((number + 1))
  done
  systemctl show "$unit" -p ExecStart 2>/dev/null | sed -n 's/^ExecStart=.*argv\[\]=\(.*\) ; ignore_errors=.*/\1/p' | tr ' ' '\n'
  [ ! -e /run/harbor-agent-stand-in/registries.yaml ] || echo --private-registry=/run/harbor-agent-stand-in/registries.yaml
}

restart_keeping_workloads() {
  return 1
}
