# shellcheck shell=sh disable=SC2034,SC2154
# The process that answers on Docker's socket, because a node may have several dockerd. Functions only; part of the
# program that probe.sh ends.

# If another service's main process answers, and the found unit does not run or kubelet connects to that process, that
# service is the one to change. Sets foreign to "PID PROGRAM UNIT" for any other process that answers.
follow_socket() {
  foreign=''
  find_socket_owner
  [ -n "$owner_pid" ] && [ "$owner_pid" != "$main_pid" ] || return 0
  owner_unit=$(print_unit_of "$owner_pid")
  if [ "$owner_unit" = "$unit" ]; then return 0; fi
  if { [ "${main_pid:-0}" = 0 ] || [ "$docker_socket" != /var/run/docker.sock ]; } && [ -n "$owner_unit" ] &&
    [ "$(systemctl show "$owner_unit" -p MainPID 2>/dev/null)" = "MainPID=$owner_pid" ]; then
    unit=$owner_unit
    show_unit
    main_pid=$owner_pid
    return 0
  fi
  foreign="$owner_pid $(readlink "/proc/$owner_pid/exe") $owner_unit"
}

# Sets owner_pid; empty if it is not known, or if no dockerd listens.
find_socket_owner() {
  owner_pid=''
  inode=$(list_listening_inodes)
  case $inode in
    *"$newline"*) inode=$(choose_inode) ;;
  esac
  [ -n "$inode" ] || return 0
  if is_open "$main_pid"; then
    owner_pid=$main_pid
    return 0
  fi
  for process in $(find_processes 'dockerd.*|docker-current|docker-latest|docker-ce'); do
    if is_open "$process"; then owner_pid=$process; fi
  done
}

# Whether the process has the socket open.
is_open() {
  # shellcheck disable=SC2010 # the targets of the links matter
  [ "${1:-0}" != 0 ] && ls -l "/proc/$1/fd" 2>/dev/null | grep -qF "socket:[$inode]"
}

# A line of /proc/net/unix: number, references, protocol, flags (00010000: listens), type, state, inode, path.
list_listening_inodes() {
  while read -r _ _ _ flags _ _ inode path; do
    if [ "$flags" = 00010000 ] && [ "${path#/var}" = "${docker_socket#/var}" ]; then printf '%s\n' "$inode"; fi
  done </proc/net/unix
}

# A daemon that starts later replaces the file of the socket, and the earlier one listens where no client connects.
choose_inode() {
  file=$(stat -L -c %i "$docker_socket") || return 0
  ss -xlHe 2>/dev/null | sed -n "s,^.*${docker_socket#/var} \([0-9]*\) .* ino:$file .*,\1,p" | sed -n 1p
}
