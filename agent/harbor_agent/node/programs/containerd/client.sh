# shellcheck shell=sh disable=SC2034,SC2154
# Which containerd it is, and how it is asked by ctr. cri/client.sh precedes this text. Functions only; part of several
# programs.

# Sets containerd, the program of process $1 as it is on disk now, and adds its directory to PATH: ctr is mostly there.
find_containerd_program() {
  containerd=$(readlink "/proc/$1/exe" 2>/dev/null) || containerd=
  containerd=${containerd% (deleted)}
  # k3s is one program with many names.
  case ${containerd##*/} in
    containerd) ;;
    *) [ ! -x "${containerd%/*}/containerd" ] || containerd=${containerd%/*}/containerd ;;
  esac
  if [ -n "$containerd" ]; then PATH=$PATH:${containerd%/*}; else containerd=$(command -v containerd); fi
}

# Sets containerd_config and containerd_socket of process $1: by its open sockets, or else by its arguments.
find_containerd_places() {
  containerd_config=$(find_option "$1" config c)
  containerd_config=${containerd_config:-$(print_default_configuration "$1")}
  containerd_socket=$(print_listening_socket "$1")
  containerd_socket=${containerd_socket:-$(find_option "$1" address a)}
  containerd_socket=${containerd_socket:-/run/containerd/containerd.sock}
}

# k3s hides the arguments of its containerd. Its programs are in DATA/data/HASH/bin.
print_default_configuration() {
  case $(readlink "/proc/$1/exe" 2>/dev/null) in
    */data/*/bin/*) printf '%s/agent/etc/containerd/config.toml' "$(readlink "/proc/$1/exe" | sed 's,/data/[^/]*/bin/[^/]*$,,')" ;;
    *) echo /etc/containerd/config.toml ;;
  esac
}

# Sets containerd_pid, the process that listens on the socket $1; fails if there is none.
find_containerd_behind() {
  for containerd_pid in $(find_processes containerd); do
    find_containerd_places "$containerd_pid"
    [ "$(print_identity "$containerd_socket")" != "$(print_identity "$1")" ] || return 0
  done
  containerd_pid=0
  return 1
}

# The configuration as the program on disk would have it: files, imports and defaults. It does not ask the daemon.
dump_configuration() {
  timeout 10 "$containerd" --config "$1" config dump
}

# filter_registry KEY: a key of the registry section of CRI in the configuration that is read.
filter_registry() {
  sed -n -E "/^ *\[plugins\.[\"']io\.containerd\.(grpc\.v1\.cri|cri\.v1\.images)[\"']\.registry\]/,/^ *\[/s/^ *$1 = [\"'](.*)[\"']\$/\1/p"
}

# The registries that have mirrors; all others are *, which hosts.toml calls _default.
filter_mirrors() {
  sed -n -E "s/^ *\[plugins\.[\"']io\.containerd\.(grpc\.v1\.cri|cri\.v1\.images)[\"']\.registry\.mirrors\.[\"']?([^]\"'*]+)[\"']?\]\$/\2/p"
}

# k0s has ctr as a command of its own.
run_ctr() {
  if command -v ctr >/dev/null 2>&1; then set -- ctr --address "$containerd_socket" "$@"; else set -- k0s ctr --address "$containerd_socket" "$@"; fi
  timeout "${ctr_limit:-5}" "$@"
}

# is_cri_loaded [SECONDS]: whether the running containerd has CRI: 0, 1 if not (sets said, the reason, if there is one),
# 2 if it did not answer.
is_cri_loaded() {
  ctr_limit=${1:-}
  said=$(run_ctr plugins ls 2>&1) || return 2
  case $(printf '%s\n' "$said" | sed -n 's/^io\.containerd\.grpc\.v1 *cri .* \([a-z][a-z]*\) *$/\1/p') in
    ok) return 0 ;;
    '') said= ;;
    *) said=$(run_ctr plugins ls -d id==cri | sed -n 's/^.*Message: *//p' | tail -n 1) ;;
  esac
  return 1
}
