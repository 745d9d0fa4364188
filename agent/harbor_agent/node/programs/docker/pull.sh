# shellcheck shell=sh disable=SC2015,SC2154
# Verifies a change: the node's own daemon pulls one image, which is removed again if it was not there before.
# Arguments: IMAGE SECONDS. PAYLOAD_CONFIG, if set, is Docker's config.json with the login; it is in a directory in
# memory while the pull runs. Everything is a function and the call is the last line, so that a truncated copy does
# nothing.

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

run_docker_here() {
  env -i PATH="$PATH" LC_ALL=C DOCKER_HOST="unix://$docker_socket" "$@"
}

print_image_id() {
  run_docker_here docker image inspect --format '{{.Id}}' "$1" 2>/dev/null
}

# pull IMAGE SECONDS
pull() {
  find_docker_client
  find_docker_socket
  if [ -n "${PAYLOAD_CONFIG:-}" ]; then
    make_login || { report "$1" 1 "$2" 'the node has no directory in memory for the login' && return 0; }
    printf '%s' "$PAYLOAD_CONFIG" | base64 -d >"$login/config.json"
  fi
  earlier=$(print_image_id "$1")
  output=$(run_docker_here timeout -k 2 "$2" docker ${login:+--config "$login"} pull -q "$1" 2>&1)
  status=$?
  clear_away
  if [ "$status" = 0 ]; then tidy_images "$1"; fi
  # timeout ends with 124, busybox's with 143, and both with 137 if TERM was not enough.
  case $status in 137 | 143) status=124 ;; esac
  report "$1" "$status" "$2" "$output"
}

# Removes the tag, or moves it back to the image that it named before.
tidy_images() {
  if [ -z "$earlier" ]; then
    run_docker_here docker image rm "$1" >/dev/null 2>&1
    return 0
  fi
  pulled=$(print_image_id "$1")
  if [ "$pulled" = "$earlier" ]; then return 0; fi
  run_docker_here docker tag "$earlier" "$1" && run_docker_here docker image rm "$pulled" >/dev/null 2>&1
}

# report IMAGE STATUS SECONDS OUTPUT; formats/pull_output.py judges it.
report() {
  printf '\nharbor-agent/pull/2 begin\nimage %s\nstatus %s\nseconds %s\n' "$1" "$2" "$3"
  printf 'output %s\n' "$(printf '%s' "$4" | tail -c 4096 | base64 | tr -d '\n')"
  printf 'harbor-agent/pull/2 end\n'
}

main() {
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
  pull "$1" "$2"
}

main "$@"
