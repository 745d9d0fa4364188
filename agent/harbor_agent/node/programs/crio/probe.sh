# shellcheck shell=sh disable=SC2034,SC2154
# CRI-O on a node. Functions only; part of the program that probe.sh ends.

find_crio() {
  crio_pid=
  case $noted in *:crio*) crio_pid=$(find_processes crio | sed -n 1p) ;; esac
  unit=
  if [ -n "$crio_pid" ]; then
    unit=$(print_unit_of "$crio_pid")
  else
    command -v crio >/dev/null || return 1
  fi
  unit=${unit:-crio.service}
  show_unit
  main_pid=${crio_pid:-0}
  [ "$main_pid" != 0 ] || [ "$(print_property LoadState)" = loaded ] || return 1
  crio_unit=$unit
  find_crio_socket "$main_pid"
  crio_socket=$cri_socket
}

report_crio() {
  report_unit cri-o
  printf '%s\n' "$crio_socket" | print_block cri-o socket
  add_unit_files
  add_registries_files
  add_path /etc/crio/crio.conf
  for path in /etc/crio/crio.conf.d/*; do add_existing "$path"; done
  add_recorded cri-o
}

ask_crio() {
  timeout 5 crio --version | print_block cri-o version
  [ -n "$crio_pid" ] || return 0
  unit=$crio_unit
  print_words | grep 'Applied new registry configuration' | tail -n 1 | print_block cri-o registries
}
