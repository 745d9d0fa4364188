# shellcheck shell=sh
# Whether a node reaches the registries: name, address, and the status of GET /v2/. Functions only; part of the program
# that probe.sh ends.

report_reachability() {
  for entry in "$@"; do
    case $entry in =* | +*) ;; @*) report_resolved "$entry" & ;; *) report_entry "$entry" "$@" & ;; esac
  done
  wait
}

# report_entry ENTRY ARGUMENT…: prints one line, written at once, so that parallel reports do not mix. A name that the
# run adds to /etc/hosts is not asked for, but its address.
report_entry() {
  entry=$1
  host=$1
  port=80
  case $1 in
    *]) ;;
    *:*) host=${1%:*} port=${1##*:} ;;
  esac
  host=${host#\[}
  host=${host%]}
  shift
  address=''
  case " $* " in *' @'*) address=$(find_planned_address "$host" "$@") ;; esac
  resolved=${address:-$(resolve "$host")}
  if [ "$resolved" = none ]; then
    printf 'reach %s none 0 the name does not resolve\n' "$entry"
    return 0
  fi
  case $address in
    '') set -- "$entry" ;;
    *:*) host=$address && set -- "[$address]:$port" ;;
    *) host=$address && set -- "$address:$port" ;;
  esac
  unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY
  answer=$(ask "$1" 2>&1 | tr -d '\r')
  status=$(printf '%s\n' "$answer" | sed -n 's,^ *HTTP/[0-9.]* \([0-9][0-9][0-9]\).*,\1,p' | sed -n 1p)
  if [ "$answer" = unasked ]; then
    status=- message='nothing on the node can ask'
  elif [ -n "$status" ] && [ "$status" != 000 ]; then
    message=
  else
    status=0 message=$(printf '%s\n' "$answer" | grep -v '^HTTP/' | grep . | tail -n 1 | cut -c1-200)
    message=${message:-no answer within 2 s}
  fi
  printf 'reach %s %s %s %s\n' "$entry" "$resolved" "$status" "$message"
}

# Prints "-" for an address, or if the node cannot resolve names, and "none" if it found no address.
resolve() {
  case $1 in
    *:*) printf '%s' - ;;
    *[!0-9.]*)
      command -v getent >/dev/null 2>&1 || { printf '%s' - && return 0; }
      found=$(timeout 2 getent ahosts "$1" | sed 's/[[:space:]].*//' | sort -u | tr '\n' ,)
      printf '%s' "${found:-none}"
      ;;
    *) printf '%s' - ;;
  esac
}

# Prints the status line of GET /v2/, or an error; "unasked" if the node has no tool for it.
ask() {
  url="http://$1/v2/"
  if command -v curl >/dev/null 2>&1; then
    curl -qsS -m 2 --noproxy '*' -o /dev/null -w 'HTTP/1 %{http_code}\n' "$url"
  elif command -v wget >/dev/null 2>&1; then
    timeout 2 wget -S -O /dev/null "$url"
  elif command -v busybox >/dev/null 2>&1 && busybox wget --help >/dev/null 2>&1; then
    timeout 2 busybox wget -S -O /dev/null "$url"
  elif command -v bash >/dev/null 2>&1; then
    # shellcheck disable=SC2016 # for bash, which has sockets
    timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET /v2/ HTTP/1.0\r\nHost: %s\r\n\r\n" "$3" >&3 && head -n 1 <&3' \
      bash "$host" "$port" "$1"
  else
    echo unasked
  fi
}
