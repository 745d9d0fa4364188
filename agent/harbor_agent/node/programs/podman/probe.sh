# shellcheck shell=sh disable=SC2034,SC2154
# podman on a node. Functions only; part of the program that probe.sh ends.

find_podman() {
  command -v podman >/dev/null || return 1
  # The service of its API; podman itself has no daemon.
  unit=podman.service
  unit_facts='' main_pid=0
}

report_podman() {
  report_unit podman
  add_registries_files
  for user in /home/*; do
    [ -e "$user/.config/containers/registries.conf" ] || continue
    add_path "$user/.config/containers/registries.conf"
    bare=$bare$newline$user/.config/containers/registries.conf
  done
  add_recorded podman
}

ask_podman() {
  run_podman 5 --version | print_block podman version
  if registries=$(print_registries 2>/dev/null); then
    printf '%s\n' "$registries" | print_block podman registries
  else
    print_registries 2>&1 >/dev/null | grep . | tail -n 1 | sed 's,://[^/@ ]*@,://***@,g' | cut -c1-400 | print_block podman error
  fi
}
