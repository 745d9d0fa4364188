# shellcheck shell=sh disable=SC2015,SC2154
# Tries a login as `docker login` does: the node's own daemon asks the registry. What docker would write is in a directory in
# memory, and removed. Arguments: REGISTRY SECONDS. PAYLOAD_USER and PAYLOAD_PASSWORD are the login, in base64. client.sh and
# login/folder.sh precede this text. Everything is a function and the call is the last line, so that a truncated copy does
# nothing.

# log_in REGISTRY SECONDS
log_in() {
  find_docker_client
  make_login || { report "$1" 1 "$2" 'the node has no directory in memory for the login' && return 0; }
  user=$(printf '%s' "$PAYLOAD_USER" | base64 -d)
  output=$(printf '%s' "$PAYLOAD_PASSWORD" | base64 -d |
    run_docker_here timeout -k 2 "$2" docker --config "$login" login --username "$user" --password-stdin "$1" 2>&1)
  status=$(read_status $?)
  clear_away
  report "$1" "$status" "$2" "$output"
}

main() {
  begin_program
  log_in "$1" "$2"
}

main "$@"
