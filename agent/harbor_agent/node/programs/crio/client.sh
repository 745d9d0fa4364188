# shellcheck shell=sh disable=SC2034,SC2154
# CRI-O's socket, and its own words about its registries, which only its journal has. cri/client.sh precedes
# this text. Functions only; part of several programs.
#
# https://github.com/cri-o/cri-o, pkg/config/reload.go: "Applied new registry configuration: %+v" after a reload, else
# "system registries reload failed: …".

# Sets cri_socket of process $1.
find_crio_socket() {
  cri_socket=$(print_listening_socket "$1")
  cri_socket=${cri_socket:-$(find_option "$1" listen listen)}
  cri_socket=${cri_socket:-/run/crio/crio.sock}
}

# What it said of its registries since it started, or since second $1 of the clock; the last word is the last line.
print_words() {
  timeout 5 journalctl --sync >/dev/null 2>&1
  invocation=$(systemctl show "$unit" -p InvocationID 2>/dev/null | sed 's/^InvocationID=//')
  timeout 10 journalctl "_SYSTEMD_INVOCATION_ID=${invocation:-none}" ${1:+--since "@$1"} -o cat --no-pager 2>/dev/null |
    grep -E 'Applied new registry configuration|system registries reload failed'
}
