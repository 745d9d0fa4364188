# shellcheck shell=sh disable=SC2034,SC2154
# containerd on a node. Functions only; part of the program that probe.sh ends.

# The one that kubelet uses; without a kubelet any other but the one behind Docker.
find_containerd() {
  # The one that k3s or RKE2 starts is theirs.
  case $present in *k3s* | *rke2*) [ "$rancher_pid" = 0 ] || return 1 ;; esac
  containerd_pid=0
  if [ -n "$kubelet" ]; then
    [ -n "$endpoint" ] || return 1
    find_containerd_behind "$endpoint" || [ "$endpoint" = /run/containerd/containerd.sock ] || return 1
  elif ! is_containerd_of_docker; then
    for process in $(find_processes containerd); do
      find_containerd_places "$process"
      case $containerd_socket in */docker/containerd/*) continue ;; esac
      if [ "$containerd_pid" = 0 ] || [ "$containerd_socket" = /run/containerd/containerd.sock ]; then containerd_pid=$process; fi
    done
  else
    return 1
  fi
  unit=
  [ "$containerd_pid" = 0 ] || unit=$(print_unit_of "$containerd_pid")
  unit=${unit:-containerd.service}
  show_unit
  [ "$containerd_pid" != 0 ] || [ "$(print_property LoadState)" = loaded ] || return 1
  main_pid=$containerd_pid
  find_containerd_places "$containerd_pid"
  find_containerd_program "$containerd_pid"
}

# Without a kubelet: if the Docker that was found before runs, or starts at boot, the containerd beside it is the one that
# it uses, unless it names another one.
is_containerd_of_docker() {
  case $present in *docker*) ;; *) return 1 ;; esac
  if [ "$docker_pid" = 0 ]; then
    [ "$(print_property UnitFileState)" = enabled ]
    return
  fi
  case $(find_option "$docker_pid" containerd containerd) in
    '' | /run/containerd/containerd.sock | /var/run/containerd/containerd.sock) return 0 ;;
  esac
  return 1
}

report_containerd() {
  report_unit containerd
  report_configuration containerd
}

# report_configuration RUNTIME: where containerd listens, and the files that decide what it does.
report_configuration() {
  printf '%s\n' "$containerd_socket" | print_block "$1" socket
  printf '%s\n' "$containerd_config" | print_block "$1" config-file
  if [ -n "$containerd" ]; then
    if dump=$(dump_configuration "$containerd_config"); then
      printf '%s\n' "$dump" | print_block "$1" dump
    else
      dump=
      dump_configuration "$containerd_config" 2>&1 >/dev/null | filter_reason | print_block "$1" dump-error
    fi
  fi
  add_unit_files
  add_path /etc/containerd
  add_path "${containerd_config%/*}"
  add_path "$containerd_config"
  add_imports
  add_recorded "$1"
  add_environment_files
  add_host_directories
}

filter_reason() {
  grep . | tail -n 1 | sed 's/^containerd: //; s,://[^/@ ]*@,://***@,g' | cut -c1-400
}

# The files that are merged into the configuration: containerd 1.x names them in the dump, 2.x does not. Imported files
# import others; four levels are followed.
add_imports() {
  named=$(
    printf '%s\n' "$dump" | filter_imports
    print_imports "$containerd_config"
  )
  IFS=$newline
  for level in 1 2 3 4; do
    further=
    # shellcheck disable=SC2086 # globs
    for path in $named; do
      add_path "$path"
      further=$further$newline$(print_imports "$path")
    done
    named=$further
  done
  IFS=$standard_separators
}

# print_imports FILE: what it imports; relative names are relative to it.
print_imports() {
  filter_imports <"$1" | sed "s|^[^/]|${1%/*}/&|"
}

filter_imports() {
  sed -n '/^imports *= *\[/,/\]/p' | sed 's/^imports *= *\[//; s/\].*//' | tr , '\n' | sed -n "s/^[[:space:]]*[\"']\(.*\)[\"'][[:space:]]*\$/\1/p"
}

# For each registry, and for those that have mirrors, the directories in which containerd looks for it, in each root of
# config_path; of all others the names.
add_host_directories() {
  roots=$(printf '%s\n' "$dump" | filter_registry config_path | tr : '\n')
  hosts=$known$newline$(printf '%s\n' "$dump" | filter_mirrors)
  for root in $roots /etc/containerd/certs.d; do
    case $root in /*) ;; *) root=/$root ;; esac
    root=${root%/}
    add_path "$root"
    for path in "$root"/*; do
      add_existing "$path"
      bare=$bare$newline$path
    done
    for entry in $hosts; do
      case $entry in *:*) add_host_directory "$root/${entry%:*}_${entry##*:}_" ;; esac
      add_host_directory "$root/$entry"
    done
    add_host_directory "$root/_default"
  done
}

# Of files of others than hosts.toml, which may be keys, only the names matter.
add_host_directory() {
  add_path "$1"
  add_path "$1/hosts.toml"
  for path in "$1"/*; do
    case $path in */hosts.toml) continue ;; esac
    add_existing "$path"
    case $path in */harbor-agent.*) ;; *) bare=$bare$newline$path ;; esac
  done
}

ask_containerd() {
  ask_for containerd
}

# ask_for RUNTIME: what containerd itself reports, as this runtime's.
ask_for() {
  asked_for=$1 cri_socket=$containerd_socket
  list_annotations | print_block "$1" containers
  if [ "$containerd_pid" = 0 ]; then
    [ -z "$containerd" ] || timeout 5 "$containerd" --version | print_block "$1" version
    return 0
  fi
  run_ctr version | sed -n '/^Server/,$p' | print_block "$1" version
  is_cri_loaded
  case $? in
    0)
      find_cri_version
      printf 'loaded\n' | print_block "$1" cri
      ;;
    1) printf 'missing %s\n' "$said" | print_block "$1" cri ;;
    *)
      printf '%s\n' "$said" | tail -n 1 | print_block "$1" silent
      return 0
      ;;
  esac
  report_live_config_path
  for entry in $entries; do report_proof "$entry" & done | cat
  wait
}

# containerd 1.x only. The whole answer may hold passwords, and stays here.
report_live_config_path() {
  can_curl || return 0
  print_bytes 0 0 0 0 2 8 1 | curl_cri 5 RuntimeService/Status -o - | tr -d '\0' |
    grep -ao '"registry":{"configPath":"[^"]*"' | sed -n '1s/.*:"\(.*\)"$/\1/p' | print_block "$asked_for" live-config-path
}

# What containerd says when it is to pull an image that cannot exist: by which scheme it asks the registry. Several run at
# once, so each block is written in one piece that a pipe does not divide (PIPE_BUF).
report_proof() {
  said=$(pull_through_cri "$1/harbor-agent/none:none" 3 | tail -c 1500)
  [ -n "$said" ] || return 0
  block=$(printf '%s\n' "$said" | print_block "$asked_for proof $1")
  printf '%s\n' "$block"
}

# The pods of containers that run, from the files that containerd keeps of each while it runs.
list_annotations() {
  grep -soHE '"io\.kubernetes\.cri\.(container-type|container-name|sandbox-name|sandbox-namespace|image-name)":"[^"]*"' \
    "${containerd_socket%/*}"/io.containerd.runtime.v*/k8s.io/*/config.json
}
