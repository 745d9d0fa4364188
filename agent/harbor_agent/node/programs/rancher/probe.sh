# shellcheck shell=sh disable=SC2034,SC2154
# k3s or RKE2 on a node, and the containerd that it starts. Functions only; part of the program that probe.sh ends.
#
# kubelet is a part of k3s, and a child of RKE2. Both have containerd listen on the same socket.

find_k3s() {
  find_rancher k3s 'k3s-server|k3s-agent' k3s.service k3s-agent.service
}

find_rke2() {
  find_rancher rke2 rke2 rke2-server.service rke2-agent.service
}

# find_rancher NAME PROCESSES UNIT…: by its process, or else by a unit that starts it at boot.
find_rancher() {
  wanted=$1 processes=$2
  shift 2
  main_pid=0
  case $noted in *:k3s-*| *:rke2*) main_pid=$(find_processes "$processes" | sed -n 1p) ;; esac
  main_pid=${main_pid:-0}
  if [ "$main_pid" != 0 ]; then
    unit=$(print_unit_of "$main_pid")
    unit=${unit:-$1}
    show_unit
    # It may have started itself again, to write its log.
    case $(print_property MainPID) in '' | 0) ;; *) main_pid=$(print_property MainPID) ;; esac
  else
    has_enabled_unit "$@" || return 1
  fi
  rancher=$wanted rancher_pid=$main_pid
  containerd_pid=0 containerd='' containerd_socket=/run/k3s/containerd/containerd.sock
  if [ "$main_pid" != 0 ] && find_containerd_behind "$containerd_socket"; then
    find_containerd_program "$containerd_pid"
  else
    containerd_config=$(print_data_folder)/agent/etc/containerd/config.toml
    containerd_socket=/run/k3s/containerd/containerd.sock
  fi
}

# Sets unit and its facts.
has_enabled_unit() {
  for unit; do
    [ -e "/etc/systemd/system/multi-user.target.wants/$unit" ] || continue
    show_unit
    [ "$(print_property LoadState)" != loaded ] || return 0
  done
  return 1
}

report_k3s() {
  report_rancher
}

report_rke2() {
  report_rancher
}

report_rancher() {
  report_unit "$rancher"
  if [ "$containerd_pid" != 0 ]; then
    main_pid=$containerd_pid
    print_start_time | print_block "$rancher" containerd-started
    print_block "$rancher" containerd-argv <"/proc/$containerd_pid/cmdline"
  fi
  add_rancher_files
  report_configuration "$rancher"
}

# Its own files, the templates of containerd's configuration, and this tool's certificates.
add_rancher_files() {
  folder=/etc/rancher/$rancher
  for path in "$folder/config.yaml" "$folder"/config.yaml.d/*.yaml "$folder"/config.yaml.d/*.yml; do add_existing "$path"; done
  add_path "$folder"
  for path in "$folder/registries.yaml" "$folder/registries.yml" "$(print_rancher_option private-registry)" \
    "${containerd_config%/*}/config-v3.toml.tmpl" "${containerd_config%/*}/config.toml.tmpl"; do add_path "$path"; done
  for path in "$folder"/harbor-agent-*; do add_existing "$path"; done
}

# The value of an option in its configuration files, or else in the command of the unit; both name it alike.
print_rancher_option() {
  {
    print_property ExecStart | tr ' ' '\n' | sed -n -e "s/^--$1=//p" -e "/^--$1\$/{n;p;}"
    cat "/etc/rancher/$rancher/config.yaml" "/etc/rancher/$rancher"/config.yaml.d/*.y*ml |
      sed -n "s/^[\"']\{0,1\}$1[\"']\{0,1\}:[[:space:]]*[\"']\{0,1\}\([^\"'#[:space:]]*\).*/\1/p"
  } | sed -n 1p
}

print_data_folder() {
  folder=$(print_rancher_option data-dir)
  printf '%s' "${folder:-/var/lib/rancher/$rancher}"
}

ask_k3s() {
  ask_rancher k3s
}

ask_rke2() {
  ask_rancher rke2
}

# Of two of them it is the last one that was found, and of one that does not run nothing but its version is known.
ask_rancher() {
  timeout 5 "$1" --version | print_block "$1" own-version
  if [ "$1" = "$rancher" ] && [ "$rancher_pid" != 0 ] && [ "$containerd_pid" != 0 ]; then ask_for "$1"; fi
}
