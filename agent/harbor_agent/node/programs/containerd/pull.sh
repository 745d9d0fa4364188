# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# The containerd that kubelet uses, and the images that it has. Functions only; part of the program that cri/pull.sh ends.

# Sets cri_socket, cri_version, containerd_socket and containerd. If kubelet has an endpoint, the pull goes through that one
# or fails: what another containerd pulls proves nothing to a pod.
choose_runtime() {
  study_kubelet
  if [ -n "$endpoint" ]; then
    find_containerd_behind "$endpoint"
    find_containerd_places "$containerd_pid"
    containerd_socket=$endpoint
  else
    find_containerd_behind /run/containerd/containerd.sock || containerd_pid=$(find_processes containerd | sed -n 1p)
    find_containerd_places "${containerd_pid:-0}"
  fi
  find_containerd_program "${containerd_pid:-0}"
  cri_socket=$containerd_socket
  find_cri_version
}

note_images() {
  earlier=$(list_images)
}

# Every name that containerd has, with the digest behind it.
list_images() {
  run_ctr -n k8s.io images ls 2>/dev/null | sed -n 's/^\([^ ]*\) .* \(sha256:[0-9a-f]*\) .*/\1 \2/p'
}

# Removes the names that the pull made, or moves the tag back to the image that it named before. CRI itself would remove
# all names of the image, also earlier ones.
tidy_images() {
  known=$(print_digest "$1" "$earlier")
  now=$(list_images)
  pulled=$(print_digest "$1" "$now")
  if [ "$known" = "$pulled" ] || [ -z "$pulled" ]; then return 0; fi
  if [ -n "$known" ]; then run_ctr -n k8s.io images tag --force "${1%:*}@$known" "$1" || return 0; fi
  printf '%s\n' "$now" | while read -r name digest; do
    [ "$digest" = "$pulled" ] && [ "$name" != "$1" ] || continue
    [ -n "$(print_digest "$name" "$earlier")" ] || run_ctr -n k8s.io images rm "$name"
  done
  [ -n "$known" ] || run_ctr -n k8s.io images rm "$1"
}

# print_digest NAME LIST
print_digest() {
  printf '%s\n' "$2" | while read -r name digest; do
    [ "$name" != "$1" ] || printf '%s' "$digest"
  done
}

# Without CRI, gRPC knows no such service.
explain_output() {
  answer=$(cat)
  case $answer in *'unknown service runtime.'*) is_cri_loaded || answer="containerd runs without its CRI plugin${said:+: $said}" ;; esac
  printf '%s\n' "$answer"
}
