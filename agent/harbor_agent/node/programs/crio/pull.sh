# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# Verifies a change: CRI-O pulls one image over CRI, which is removed again if it was not there before. Arguments: IMAGE
# SECONDS. PAYLOAD_USER and PAYLOAD_PASSWORD, if set, are the login; it is on no command line and in no file. kubelet.sh,
# names/pull.sh, cri/client.sh and client.sh precede this text. Everything is a function and the call is the last line, so
# that a truncated copy does nothing.

# pull IMAGE SECONDS
pull() {
  note_processes
  find_crio_socket "$(find_processes crio | sed -n 1p)"
  find_cri_version
  user=$(printf '%s' "${PAYLOAD_USER:-}" | base64 -d)
  password=$(printf '%s' "${PAYLOAD_PASSWORD:-}" | base64 -d)
  had_image "$1" && had=yes || had=
  tries=0
  while :; do
    output=$(pull_through_cri "$1" "$2")
    status=$?
    [ "$status" != 0 ] && [ "$tries" -lt 7 ] && has_stale_answer "$1" "$output" || break
    tries=$((tries + 1))
    sleep 1
  done
  output=$(printf '%s\n' "$output" | mask_logins)
  user='' password=''
  case $status in
    0) [ -n "$had" ] || remove_image "$1" ;;
    127) output='no pull was tried: the node has neither crictl nor a curl with HTTP/2' ;;
    # timeout ends with 124, busybox's with 143, and both with 137 if TERM was not enough.
    137 | 143) status=124 ;;
  esac
  report "$1" "$status" "$2" "$output"
}

# Whether the image was there; if that is not known, it is left where it is.
had_image() {
  if can_curl; then
    answer=$(print_image_request "$1" | curl_cri 5 ImageService/ImageStatus -o - | wc -c)
    # A frame of five bytes and nothing else: no such image.
    [ "$answer" != 5 ]
    return
  fi
  find_crictl || return 0
  run_crictl inspecti -q "$1" >/dev/null 2>&1
}

remove_image() {
  if can_curl; then print_image_request "$1" | curl_cri 10 ImageService/RemoveImage -o /dev/null; else run_crictl rmi "$1"; fi >/dev/null 2>&1
}

# The image in field 1.1, as in a pull without a login.
print_image_request() {
  user='' print_pull_request "$1"
}

run_crictl() {
  timeout 10 "$crictl" --runtime-endpoint "unix://$cri_socket" --image-endpoint "unix://$cri_socket" "$@"
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
