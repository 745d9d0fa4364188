# shellcheck shell=sh disable=SC2015,SC2154
# Verifies a change: root's podman pulls one image, which is removed again if it was not there before. Arguments: IMAGE
# SECONDS. PAYLOAD_CONFIG, if set, is an auth file with the login; it is in a directory in memory while the pull runs.
# client.sh and login/folder.sh precede this text. Everything is a function and the call is the last line, so that a
# truncated copy does nothing.

print_image_id() {
  run_podman 10 image inspect --format '{{.Id}}' "$1" 2>/dev/null
}

# pull IMAGE SECONDS
pull() {
  if [ -n "${PAYLOAD_CONFIG:-}" ]; then
    make_login || { report "$1" 1 "$2" 'the node has no directory in memory for the login' && return 0; }
    printf '%s' "$PAYLOAD_CONFIG" | base64 -d >"$login/config.json"
  fi
  earlier=$(print_image_id "$1")
  output=$(run_podman "$2" pull -q ${login:+--authfile "$login/config.json"} "$1" 2>&1)
  status=$(read_status $?)
  clear_away
  if [ "$status" = 0 ]; then tidy_images "$1"; fi
  report "$1" "$status" "$2" "$output"
}

# Removes the tag, or moves it back to the image that it named before.
tidy_images() {
  if [ -z "$earlier" ]; then
    run_podman 20 image rm "$1" >/dev/null 2>&1
    return 0
  fi
  pulled=$(print_image_id "$1")
  if [ "$pulled" = "$earlier" ]; then return 0; fi
  run_podman 10 tag "$earlier" "$1" && run_podman 20 image rm "$pulled" >/dev/null 2>&1
}

main() {
  begin_program
  pull "$1" "$2"
}

main "$@"
