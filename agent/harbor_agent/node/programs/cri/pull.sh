# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# Verifies a change: the runtime pulls one image over CRI, which is removed again if it was not there before. Arguments:
# IMAGE SECONDS. PAYLOAD_USER and PAYLOAD_PASSWORD, if set, are the login; it is on no command line and in no file.
# names/pull.sh, kubelet.sh, client.sh and the runtime's own client.sh and pull.sh precede this text. The last has:
#   choose_runtime       sets cri_socket, and cri_version
#   note_images IMAGE    notes what is there before the pull
#   tidy_images IMAGE    removes what the pull brought, and nothing else
#   explain_output       filters what the runtime said about a pull that failed
# Everything is a function and the call is the last line, so that a truncated copy does nothing.

# pull IMAGE SECONDS
pull() {
  note_processes
  choose_runtime 2>/dev/null
  user=$(printf '%s' "${PAYLOAD_USER:-}" | base64 -d)
  password=$(printf '%s' "${PAYLOAD_PASSWORD:-}" | base64 -d)
  note_images "$1"
  tries=0
  while :; do
    output=$(pull_through_cri "$1" "$2")
    status=$?
    [ "$status" != 0 ] && [ "$tries" -lt 7 ] && has_stale_answer "$1" "$output" || break
    tries=$((tries + 1))
    sleep 1
  done
  output=$(printf '%s\n' "$output" | explain_output | mask_logins)
  user='' password=''
  case $status in
    0) tidy_images "$1" >/dev/null 2>&1 ;;
    127) output='no pull was tried: the node has neither crictl nor a curl with HTTP/2' ;;
    # timeout ends with 124, busybox's with 143, and both with 137 if TERM was not enough.
    137 | 143) status=124 ;;
  esac
  report "$1" "$status" "$2" "$output"
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
  pull "$1" "$2"
}

main "$@"
