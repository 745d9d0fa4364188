# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# A login for one pull: its folder is in memory, and a killed program's is removed by the next one. Functions
# only; part of the programs that pull.sh and login.sh end.

# Sets login to a new 0700 directory that never reaches a disk.
make_login() {
  for memory in /run /dev/shm; do
    [ -d "$memory" ] && [ -w "$memory" ] && is_memory "$memory" || continue
    sweep "$memory"
    login=$(mktemp -d "$memory/harbor-agent-pull.$$.XXXXXX") || continue
    chmod 0700 "$login"
    return 0
  done
  return 1
}

is_memory() {
  while read -r _ point kind _; do
    [ "$point" = "$1" ] || continue
    found=$kind
  done </proc/mounts
  case ${found:-} in tmpfs | ramfs) return 0 ;; esac
  return 1
}

# Removes logins that a killed predecessor left behind.
sweep() {
  for left in "$1"/harbor-agent-pull.*; do
    [ -d "$left" ] && [ ! -L "$left" ] || continue
    owner=${left#"$1"/harbor-agent-pull.}
    kill -0 "${owner%%.*}" 2>/dev/null || rm -rf "$left"
  done
}

clear_away() {
  if [ -n "$login" ]; then rm -rf "$login"; fi
  login=
}

# report NAME STATUS SECONDS OUTPUT; formats/pull_output.py judges it. NAME is the image, or the registry of a login.
report() {
  printf '\nharbor-agent/pull/2 begin\nimage %s\nstatus %s\nseconds %s\n' "$1" "$2" "$3"
  printf 'output %s\n' "$(printf '%s' "$4" | tail -c 4096 | base64 | tr -d '\n')"
  printf 'harbor-agent/pull/2 end\n'
}

# begin_program: no input, a known environment, and nothing left behind after a signal.
begin_program() {
  umask 077
  LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/bin
  export LC_ALL PATH
  exec </dev/null
  login=
  trap clear_away EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
}

# timeout ends with 124, busybox's with 143, and both with 137 if TERM was not enough.
read_status() {
  case $1 in 137 | 143) printf 124 ;; *) printf '%s' "$1" ;; esac
}
