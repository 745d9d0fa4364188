# shellcheck shell=sh
# What one node is like, read-only, as one framed document (decoded by agent/harbor_agent/node/wire/probe.py).
# Arguments: the registries (host[:port]) whose reachability is wanted. POSIX sh: dash, busybox and bash.
# reachability.sh stands before this text. Everything is a function and the call is the last line, so that a truncated
# copy does nothing.

report_system() {
  printf 'privileged %s\n' "$([ "$(id -u)" -eq 0 ] && echo yes || echo no)"
  if [ -d /run/systemd/system ]; then
    printf 'init systemd\n'
    systemctl --version 2>/dev/null | sed -n '1s/^systemd \([^ ]*\).*/systemd \1/p'
  else
    printf 'init %s\n' "$(cat /proc/1/comm 2>/dev/null)"
  fi
  printf 'boot %s\n' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
  for runtime in containerd crio podman k3s rke2 microk8s; do
    command -v "$runtime" >/dev/null 2>&1 && printf 'runtime %s\n' "$runtime"
  done
}

# Standard input as base64 between a line that names it and a line with a dot.
block() {
  printf 'block %s\n' "$*"
  base64
  printf '.\n'
}

# Sets unit, unit_facts, main_pid and binary; fails where the node has no Docker.
find_docker() {
  unit=docker.service
  show_unit
  case $(property LoadState) in
    loaded | masked) ;;
    *)
      other=$(other_docker_unit)
      [ -z "$other" ] || { unit=$other && show_unit; }
      ;;
  esac
  main_pid=$(property MainPID)
  [ "${main_pid:-0}" != 0 ] || main_pid=$(pid_without_unit)
  binary=$(readlink "/proc/$main_pid/exe" 2>/dev/null) || binary=
  [ -n "$binary" ] || binary=$(command -v dockerd || command -v dockerd-current)
  # podman-docker answers to the name docker without being it.
  case $(property ExecStart) in *podman*) return 1 ;; esac
  [ "$(property LoadState)" = loaded ] || [ -n "$binary" ]
}

show_unit() {
  unit_facts=$(systemctl show "$unit" --no-pager -p Id,LoadState,ActiveState,UnitFileState,FragmentPath \
    -p DropInPaths,NeedDaemonReload,MainPID,ExecStart,EnvironmentFiles 2>/dev/null)
}

property() {
  printf '%s\n' "$unit_facts" | sed -n "s/^$1=//p"
}

# A dockerd under another name, such as snap.docker.dockerd.service; cri-dockerd is none.
other_docker_unit() {
  grep -lsE '^ExecStart=(.*[/ .])?dockerd( |$)' /etc/systemd/system/*.service /run/systemd/system/*.service \
    /usr/lib/systemd/system/*.service /lib/systemd/system/*.service | sed -n '1s,.*/,,p'
}

pid_without_unit() {
  pid=$(cat /var/run/docker.pid 2>/dev/null)
  [ "$(cat "/proc/${pid:-0}/comm" 2>/dev/null)" = dockerd ] && printf '%s' "$pid" || printf 0
}

report_unit() {
  printf 'docker %s\n' "$unit"
  printf '%s\n' "$unit_facts" | grep -v '^ExecStart=' | block unit
  [ "$main_pid" != 0 ] || return 0
  if [ -r "/proc/$main_pid/cmdline" ]; then block argv <"/proc/$main_pid/cmdline"; fi
  if [ -r "/proc/$main_pid/environ" ]; then
    # A proxy's password stays on the node.
    tr '\0' '\n' <"/proc/$main_pid/environ" | grep -iE '^(https?|no)_proxy=' |
      sed 's|^\([A-Za-z_]*=\)\([A-Za-z0-9+.-]*://\)\{0,1\}.*@|\1\2***@|' | block environment
  else
    printf 'unreadable process-unreadable %s\n' "/proc/$main_pid/environ"
  fi
}

# What the daemon says of itself. A stopped daemon is not asked: the question would start it through its socket.
report_daemon() {
  if [ "$main_pid" = 0 ]; then
    [ -z "$binary" ] || timeout 5 "$binary" --version 2>/dev/null | block version
    return 0
  fi
  # shellcheck disable=SC2016 # a Go template
  facts=$(timeout 5 docker info --format '{{json .RegistryConfig}}{{println}}{{json .LiveRestoreEnabled}}{{println}}{{json .ServerVersion}}{{println}}{{json .Swarm.LocalNodeState}}')
  case $facts in
    '{'*) ;;
    *)
      said=$(timeout 5 docker info 2>&1 >/dev/null | tail -n 1)
      printf '%s\n' "${said:-it describes itself as \"$(printf '%s' "$facts" | head -n 1)\"}" | block daemon-silent
      timeout 5 "$binary" --version 2>/dev/null | block version
      return 0
      ;;
  esac
  printf '%s\n' "$facts" | block daemon
  if described=$(describe_containers); then
    printf '%s\n' "$described" | block containers
  else
    printf 'unreadable docker-silent containers\n'
  fi
}

# Fails where the daemon does not tell. One that ends meanwhile makes `docker inspect` fail, and the others are told all
# the same.
describe_containers() {
  identities=$(timeout 5 docker ps -q --no-trunc) || return 1
  [ -n "$identities" ] || return 0
  # shellcheck disable=SC2086 # one word each
  described=$(timeout 20 docker inspect --format \
    '[{{json .Id}},{{json .Name}},{{json .Config.Image}},{{json .HostConfig.RestartPolicy.Name}},{{json (index .Config.Labels "io.kubernetes.pod.uid")}}]' \
    $identities)
  [ -n "$described" ] && printf '%s\n' "$described"
}

# Sets paths, one a line: everything that may decide what dockerd runs with.
collect_paths() {
  paths=
  for path in $(property FragmentPath) $(property DropInPaths); do add_path "$path"; done
  library=/usr/lib/systemd/system
  # /lib is mostly a link to /usr/lib; then the name that systemd uses is the only one.
  if [ "$(cd -P /lib 2>/dev/null && pwd)" = "$(cd -P /usr/lib 2>/dev/null && pwd)" ]; then
    case $(property FragmentPath) in /lib/*) library=/lib/systemd/system ;; esac
  else
    library='/usr/lib/systemd/system /lib/systemd/system'
  fi
  for directory in /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient \
    /run/systemd/generator.early /etc/systemd/system /run/systemd/system /run/systemd/generator \
    /usr/local/lib/systemd/system $library /run/systemd/generator.late; do
    add_existing "$directory/$unit"
    for level in "$unit" $(prefix_levels) service; do add_directory "$directory/$level.d"; done
  done
  add_path "/etc/systemd/system/$unit.d"
  add_path "/etc/systemd/system/$unit.d/docker-options.conf"
  for path in /etc/docker /etc/docker/daemon.json /etc/default/docker /etc/sysconfig/docker; do add_path "$path"; done
  add_environment_files
  add_configuration_files
}

# a-b-c.service also reads a-b-.service.d and a-.service.d (systemd.unit(5)).
prefix_levels() {
  stem=${unit%.service}
  while :; do
    case $stem in *-*) stem=${stem%-*} ;; *) return 0 ;; esac
    printf '%s-.service ' "$stem"
  done
}

add_path() {
  case $1 in /*) ;; *) return 0 ;; esac
  case $1 in *"$newline"*) return 0 ;; esac
  case "$newline$paths$newline" in *"$newline$1$newline"*) ;; *) paths=$paths${paths:+$newline}$1 ;; esac
}

add_existing() {
  if [ -e "$1" ] || [ -L "$1" ]; then add_path "$1"; fi
}

add_directory() {
  [ -d "$1" ] || return 0
  if [ ! -r "$1" ] || [ ! -x "$1" ]; then
    printf 'unreadable directory-unreadable %s\n' "$1"
    return 0
  fi
  for path in "$1"/*.conf; do add_existing "$path"; done
}

# Runs its arguments with every path found so far behind them.
with_paths() (
  IFS=$newline
  set -f
  # shellcheck disable=SC2086 # split at the line ends, on purpose
  "$@" $paths
)

# The same with the files that can be read; GNU sed gives up at a directory.
with_texts() (
  IFS=$newline
  set -f
  texts=
  for path in $paths; do
    if [ -f "$path" ] && [ -r "$path" ]; then texts=$texts${texts:+$newline}$path; fi
  done
  # shellcheck disable=SC2086 # split at the line ends, on purpose
  [ -z "$texts" ] || "$@" $texts
)

add_environment_files() {
  named=$(
    property EnvironmentFiles | sed 's/ (ignore_errors=[a-z]*)//g'
    with_texts sed -n 's/^[[:space:]]*EnvironmentFile[[:space:]]*=[[:space:]]*-\{0,1\}["'\'']\{0,1\}\(\/[^"'\'']*\).*/\1/p' 2>/dev/null
  )
  IFS=$newline
  # shellcheck disable=SC2086 # EnvironmentFile= takes globs
  for path in $named; do add_path "${path%"${path##*[! ]}"}"; done
  IFS=$standard_separators
}

add_configuration_files() {
  pattern='s/.*--config-file[= ]\{1,\}["'\'']\{0,1\}\(\/[^"'\'' \\]*\).*/\1/p'
  named=$(
    with_texts sed -n "$pattern" 2>/dev/null
    [ "$main_pid" = 0 ] || tr '\0' ' ' <"/proc/$main_pid/cmdline" | sed -n "$pattern"
  )
  for path in $named; do
    add_path "$path"
    add_path "${path%/*}"
  done
}

report_files() {
  with_paths stat -c '%f %u %g %s %n' -- 2>/dev/null | while read -r mode uid gid size path; do
    printf 'file %s %s %s %s\n' "$mode" "$uid" "$gid" "$path"
    if [ -L "$path" ]; then readlink "$path" | block link; fi
    [ -f "$path" ] || continue
    report_content "$path" "$size"
  done
  printf '%s\n' "$paths" | while read -r path; do
    [ -n "$path" ] || continue
    if [ -e "$path" ] || [ -L "$path" ]; then continue; fi
    if hidden "$path"; then
      printf 'unreadable file-unreadable %s\n' "$path"
    else
      printf 'absent %s\n' "$path"
    fi
  done
}

report_content() {
  bytes=$2
  # The size of a link is that of its text.
  if [ -L "$1" ]; then bytes=$(wc -c <"$1"); fi
  if [ ! -r "$1" ]; then
    printf 'unreadable file-unreadable %s\n' "$1"
  elif [ "$bytes" -gt 1048576 ]; then
    printf 'unreadable file-too-large %s\n' "$1"
  else
    block content <"$1"
  fi
}

# Whether a path only looks absent because a directory above it may not be searched.
hidden() {
  above=${1%/*}
  while [ -n "$above" ] && [ ! -e "$above" ]; do above=${above%/*}; done
  [ -d "${above:-/}" ] && [ ! -x "${above:-/}" ]
}

report_own_state() {
  state=/var/lib/harbor-agent
  if [ -d "$state" ] && [ ! -x "$state" ]; then printf 'unreadable directory-unreadable %s\n' "$state"; fi
  if [ -r "$state/record/docker.json" ]; then block record <"$state/record/docker.json"; fi
  {
    # One that has changed files has its recovery armed; one under way is a unit. Everybody can see both.
    sed -n 's/^ExecStart=.* recover //p' /etc/systemd/system/harbor-agent-recovery.service
    systemctl is-active --quiet harbor-agent-transaction.service &&
      systemctl show harbor-agent-transaction.service -p Description | sed -n 's/^Description=harbor-agent transaction //p'
  } | sort -u | while read -r transaction; do
    is_finished "$transaction" || printf 'pending %s\n' "$transaction"
  done
}

# One that could not be taken back is not finished: its recovery would take back later edits too at the next boot.
is_finished() {
  case $(sed -n 's/^\([a-z_0-9-]*\) .* \.$/\1/p' "$state/transactions/$1/journal" | tail -n 1) in
    committed | rolled_back | refused) return 0 ;;
  esac
  return 1
}

gather() {
  report_system
  report_own_state
  find_docker || return 0
  report_unit
  collect_paths
  # The daemon is asked while the files are read.
  report_daemon | {
    report_files
    cat
  }
}

main() {
  exec 2>/dev/null </dev/null
  LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/bin
  DOCKER_HOST=unix:///var/run/docker.sock
  export LC_ALL PATH DOCKER_HOST
  newline='
'
  standard_separators=$IFS
  # In one piece: of every line by itself an SSH server makes a packet, and the controller pays for each.
  answer=$(
    report_reachability "$@" | {
      gather </dev/null
      cat
    }
  )
  printf '\nharbor-agent/probe/1 begin\n%s\nharbor-agent/probe/1 end\n' "$answer"
}

main "$@"
