# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# The running CRI-O, and the images that it has. Functions only; part of the program that cri/pull.sh ends.

choose_runtime() {
  find_crio_socket "$(find_processes crio | sed -n 1p)"
  find_cri_version
}

note_images() {
  had_image "$1" && had=yes || had=
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

tidy_images() {
  [ -z "$had" ] || return 0
  if can_curl; then print_image_request "$1" | curl_cri 10 ImageService/RemoveImage -o /dev/null; else run_crictl rmi "$1"; fi
}

explain_output() {
  cat
}

# The image in field 1.1, as in a pull without a login.
print_image_request() {
  user='' print_pull_request "$1"
}

run_crictl() {
  timeout 10 "$crictl" --runtime-endpoint "unix://$cri_socket" --image-endpoint "unix://$cri_socket" "$@"
}
