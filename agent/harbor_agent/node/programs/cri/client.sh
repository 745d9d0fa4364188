# shellcheck shell=sh disable=SC2034,SC2154
# How a runtime is asked over CRI: by gRPC, for which curl with HTTP/2 suffices (curl 7.49 and later with nghttp2), else by
# crictl. cri_socket is its socket, cri_version what find_cri_version found. Functions only; part of several programs.
#
# Protobuf: https://github.com/kubernetes/cri-api, pkg/apis/runtime/v1/api.proto. gRPC over HTTP/2: a frame is a zero byte,
# four bytes of length and the message; the status and the message of an error are trailers.

# find_option PID NAME SHORT: the last value of an option of a process, with "=" or as the next word.
find_option() {
  tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null |
    sed -n -e "s/^-\{0,1\}-$2=//p" -e "s/^-\{0,1\}-$3=//p" -e "/^-\{0,1\}-$2\$/{n;p;}" -e "/^-\{0,1\}-$3\$/{n;p;}" | tail -n 1
}

# Two names of one socket have one identity.
print_identity() {
  stat -L -c %d:%i -- "$1" 2>/dev/null || printf '%s' "$1"
}

# A runtime may also listen for debuggers and for plugins (NRI). A line of /proc/net/unix: number, references,
# protocol, flags (00010000: listens), type, state, inode, path.
print_listening_socket() {
  # shellcheck disable=SC2012 # the targets of the links matter
  opened=" $(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.*socket:\[\([0-9]*\)\]$/\1/p' | tr '\n' ' ')"
  sed -n 's|^[^ ]* [^ ]* [^ ]* 00010000 [^ ]* [^ ]* *\([0-9]*\) \(/.*\.sock\)$|\1 \2|p' /proc/net/unix 2>/dev/null |
    while read -r inode listening; do
      case $listening in */debug.sock | */nri.sock) continue ;; esac
      case $opened in *" $inode "*) printf '%s\n' "$listening" ;; esac
    done | sed -n 1p
}

# The answer of a token service may quote the request.
mask_logins() {
  sed 's/password=[^& ]*/password=***/g; s,://[^/@ ]*@,://***@,g'
}

# pull_through_cri IMAGE SECONDS: has the runtime pull, with the login $user and $password if they are set. Prints what an
# error says, as crictl does; the status is 0, 124 for no end in time, 127 if nothing on the node can ask.
pull_through_cri() {
  if can_curl; then
    trailers=$(print_pull_request "$1" | curl_cri "$2" ImageService/PullImage -o /dev/null -D - 2>&1)
    status=$?
    trailers=$(printf '%s\n' "$trailers" | tr -d '\r')
    code=$(printf '%s\n' "$trailers" | sed -n 's/^grpc-status: *//p')
    case $status:$code in
      0:0) return 0 ;;
      28:*) return 124 ;;
      0:?*) printf 'rpc error: code = %s desc = %s\n' "$code" "$(printf '%s\n' "$trailers" | sed -n 's/^grpc-message: *//p')" ;;
      *) printf '%s\n' "$trailers" | grep '^curl' | tail -n 1 ;;
    esac
    return 1
  fi
  find_crictl || return 127
  CRICTL_CREDS=${user:+$user:$password} timeout -k 2 "$2" "$crictl" --runtime-endpoint "unix://$cri_socket" \
    --image-endpoint "unix://$cri_socket" pull "$1" 2>&1
}

can_curl() {
  case $(curl --version 2>/dev/null) in *HTTP2*) return 0 ;; esac
  return 1
}

# Sets crictl. That of k3s and RKE2 is in a place of their own.
find_crictl() {
  for crictl in crictl /usr/local/bin/crictl /opt/bin/crictl /var/lib/rancher/rke2/bin/crictl; do
    command -v "$crictl" >/dev/null 2>&1 && return 0
  done
  return 1
}

# Sets cri_version, in which curl_cri asks. containerd 1.5 and CRI-O 1.20 know only v1alpha2, whose messages have the same
# numbers; they call the service of v1 unknown (status 12 of gRPC, UNIMPLEMENTED). A runtime without CRI calls both unknown.
find_cri_version() {
  cri_version=v1
  can_curl && [ "$(ask_version)" = 12 ] || return 0
  cri_version=v1alpha2
  [ "$(ask_version)" != 12 ] || cri_version=v1
}

# Asks for the version of the runtime; prints the status of the answer, nothing if there is none.
ask_version() {
  print_bytes 0 0 0 0 0 | curl_cri 2 RuntimeService/Version -o /dev/null -D - 2>/dev/null | tr -d '\r' | sed -n 's/^grpc-status: *//p'
}

# curl_cri SECONDS METHOD OPTION…: standard input is the request.
curl_cri() {
  limit=$1 method=$2
  shift 2
  curl -q -sS -m "$limit" --noproxy '*' --http2-prior-knowledge --unix-socket "$cri_socket" \
    -H 'content-type: application/grpc' -H 'te: trailers' --data-binary @- "$@" \
    "http://localhost/runtime.${cri_version:-v1}.$method"
}

# print_pull_request IMAGE: image in field 1.1, user and password in 2.1 and 2.2.
print_pull_request() {
  image_size=$(count_field "${#1}")
  login_size=0 login_field=0
  if [ -n "${user:-}" ]; then
    login_size=$(($(count_field "${#user}") + $(count_field "${#password}")))
    login_field=$(count_field "$login_size")
  fi
  print_frame_header "$(($(count_field "$image_size") + login_field))"
  print_field_header 1 "$image_size"
  print_text 1 "$1"
  [ "$login_size" != 0 ] || return 0
  print_field_header 2 "$login_size"
  print_text 1 "$user"
  print_text 2 "$password"
}

# The bytes of a field whose content has $1 bytes.
count_field() {
  if [ "$1" -lt 128 ]; then echo "$(($1 + 2))"; else echo "$(($1 + 3))"; fi
}

print_frame_header() {
  print_bytes 0 "$(($1 >> 24 & 255))" "$(($1 >> 16 & 255))" "$(($1 >> 8 & 255))" "$(($1 & 255))"
}

# print_field_header NUMBER LENGTH: at most 16383 bytes.
print_field_header() {
  if [ "$2" -lt 128 ]; then
    print_bytes "$(($1 * 8 + 2))" "$2"
  else
    print_bytes "$(($1 * 8 + 2))" "$(($2 & 127 | 128))" "$(($2 >> 7))"
  fi
}

print_text() {
  print_field_header "$1" "${#2}"
  printf %s "$2"
}

print_bytes() {
  for byte; do
    # shellcheck disable=SC2059 # an escape for one byte
    printf "\\$(printf '%03o' "$byte")"
  done
}
