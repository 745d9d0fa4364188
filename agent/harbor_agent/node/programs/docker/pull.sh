# shellcheck shell=sh disable=SC2015
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
  env -i PATH="$PATH" LC_ALL=C DOCKER_HOST=unix:///var/run/docker.sock "$@"
}

print_image_id() {
  run_docker_here docker image inspect --format '{{.Id}}' "$1" 2>/dev/null
}

# pull IMAGE SECONDS
pull() {
  find_docker_client
  if [ -n "${PAYLOAD_CONFIG:-}" ]; then
    make_login || { report "$1" failed 'the node has no directory in memory for the login' && return 0; }
    printf '%s' "$PAYLOAD_CONFIG" | base64 -d >"$login/config.json"
  fi
  earlier=$(print_image_id "$1")
  output=$(run_docker_here timeout -k 2 "$2" docker ${login:+--config "$login"} pull -q "$1" 2>&1)
  status=$?
  clear_away
  if [ "$status" = 0 ]; then tidy_images "$1"; fi
  detail=$(printf '%s\n' "$output" | grep . | tail -n 1 | cut -c1-600)
  # timeout ends with 124, busybox's with 143, and both with 137 if TERM was not enough.
  case $status in 124 | 137 | 143) status=124 detail="no end within $2 s${detail:+: $detail}" ;; esac
  report "$1" "$(verdict "$status" "$output")" "$detail"
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

# verdict STATUS OUTPUT. The output of an unreachable registry may match the later patterns too, so it is checked first.
verdict() {
  case $1:$2 in
    0:*) echo pulled ;;
    *'server gave HTTP response to HTTPS client'*) echo insecure-refused ;;
    *'x509: '*) echo certificate-refused ;;
    124:* | *'no such host'* | *'connection refused'* | *'i/o timeout'* | *'no route to host'* | \
      *'network is unreachable'* | *'Client.Timeout'* | *'context deadline exceeded'* | *'proxyconnect'* | \
      *'server misbehaving'* | *'TLS handshake timeout'* | *'connection reset'*) echo unreachable ;;
    *unauthorized* | *'access denied'* | *'requested access to the resource is denied'* | *'no basic auth'* | \
      *'authentication required'* | *'incorrect username or password'* | *'401 Unauthorized'*) echo unauthorized ;;
    *'manifest unknown'* | *'not found'* | *'name unknown'* | *'NAME_UNKNOWN'*) echo not-found ;;
    *) echo failed ;;
  esac
}

# report IMAGE VERDICT DETAIL
report() {
  printf '\nharbor-agent/pull/1 begin\nimage %s\nverdict %s\n' "$1" "$2"
  printf 'detail %s\n' "$(printf '%s' "$3" | base64 | tr -d '\n')"
  printf 'harbor-agent/pull/1 end\n'
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
