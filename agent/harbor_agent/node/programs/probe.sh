# shellcheck shell=sh disable=SC2034,SC2154
# The state of one node, read-only, as one framed document (node/wire/probe.py decodes it). Arguments: the registries
# (host[:port]) whose reachability matters, =host[:port] for one whose files are only read, @name=address for a name in
# /etc/hosts, and +logins for the files in which kubelet has logins. POSIX sh: dash, busybox and bash. reachability.sh,
# names/probe.sh, the probe of each runtime and their names in $RUNTIMES precede this text. Everything is a function and the
# call is the last line, so that a truncated copy does nothing.
#
# The probe of a runtime has three functions:
#   find_NAME    fails if the node does not have it; sets unit (show_unit) and main_pid
#   report_NAME  prints its unit and process, and adds the paths that may decide its configuration
#   ask_NAME     prints what the daemon reports; runs while the files are read

report_system() {
  printf 'privileged %s\n' "$([ "$(id -u)" -eq 0 ] && echo yes || echo no)"
  if [ -d /run/systemd/system ]; then
    printf 'init systemd\n'
    systemctl --version 2>/dev/null | sed -n '1s/^systemd \([^ ]*\).*/systemd \1/p'
  else
    printf 'init %s\n' "$(cat /proc/1/comm 2>/dev/null)"
  fi
  printf 'boot %s\n' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
  stores=
  if [ -d "$debian_store" ] && command -v update-ca-certificates >/dev/null; then stores=debian; fi
  if [ -d "$redhat_store" ] && command -v update-ca-trust >/dev/null; then stores="$stores redhat"; fi
  printf 'trust-stores %s\n' "$stores"
  # Runtimes that this tool does not configure.
  for program in containerd crio podman k3s rke2 microk8s; do
    command -v "$program" >/dev/null 2>&1 && printf 'installed %s\n' "$program"
  done
}

# Standard input as base64 between a line that names it and a line with a dot.
print_block() {
  printf 'block %s\n' "$*"
  base64
  printf '.\n'
}

show_unit() {
  unit_facts=$(systemctl show "$unit" --no-pager -p Id,LoadState,ActiveState,UnitFileState,FragmentPath \
    -p DropInPaths,NeedDaemonReload,MainPID,ExecStart,EnvironmentFiles,KillMode 2>/dev/null)
}

print_property() {
  printf '%s\n' "$unit_facts" | sed -n "s/^$1=//p"
}

# report_unit NAME: the facts of its unit as systemd has them, and its process.
report_unit() {
  printf 'runtime %s %s\n' "$1" "$unit"
  printf '%s\n' "$unit_facts" | grep -v '^ExecStart=' | print_block "$1" unit
  [ "$main_pid" != 0 ] || return 0
  print_start_time | print_block "$1" started
  if [ -r "/proc/$main_pid/cmdline" ]; then print_block "$1" argv <"/proc/$main_pid/cmdline"; fi
  if [ -r "/proc/$main_pid/environ" ]; then
    # A proxy's password stays on the node.
    tr '\0' '\n' <"/proc/$main_pid/environ" | grep -iE '^(https?|no)_proxy=' |
      sed 's|^\([A-Za-z_]*=\)\([A-Za-z0-9+.-]*://\)\{0,1\}.*@|\1\2***@|' | print_block "$1" environment
  else
    printf 'unreadable process-unreadable %s\n' "/proc/$main_pid/environ"
  fi
}

# When the main process started, in seconds since 1970: proc(5), field 22 of stat, and the time of the boot.
print_start_time() {
  ticks=$(sed 's/.*) //' "/proc/$main_pid/stat" | cut -d ' ' -f 20)
  booted=$(sed -n 's/^btime //p' /proc/stat)
  hertz=$(getconf CLK_TCK) || hertz=100
  [ -n "$ticks" ] && [ -n "$booted" ] && printf '%s\n' "$((booted + ticks / hertz))"
}

# The service that a process runs in.
print_unit_of() {
  sed -n -e 's,^0:.*/\([^/]*\.service\).*,\1,p' -e 's,^[0-9]*:name=systemd:.*/\([^/]*\.service\).*,\1,p' \
    "/proc/$1/cgroup" 2>/dev/null | sed -n 1p
}

# Adds the paths of the unit file and of all its drop-ins.
add_unit_files() {
  for path in $(print_property FragmentPath) $(print_property DropInPaths); do add_path "$path"; done
  library=/usr/lib/systemd/system
  # /lib is mostly a link to /usr/lib; then the name that systemd uses is the only one.
  if [ "$(cd -P /lib 2>/dev/null && pwd)" = "$(cd -P /usr/lib 2>/dev/null && pwd)" ]; then
    case $(print_property FragmentPath) in /lib/*) library=/lib/systemd/system ;; esac
  else
    library='/usr/lib/systemd/system /lib/systemd/system'
  fi
  for directory in /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient \
    /run/systemd/generator.early /etc/systemd/system /run/systemd/system /run/systemd/generator \
    /usr/local/lib/systemd/system $library /run/systemd/generator.late; do
    add_existing "$directory/$unit"
    for level in "$unit" $(list_prefix_levels) service; do add_directory "$directory/$level.d"; done
  done
  add_path "/etc/systemd/system/$unit.d"
}

# a-b-c.service also reads a-b-.service.d and a-.service.d (systemd.unit(5)).
list_prefix_levels() {
  stem=${unit%.service}
  while :; do
    case $stem in *-*) stem=${stem%-*} ;; *) return 0 ;; esac
    printf '%s-.service ' "$stem"
  done
}

# This tool's files in the system's trust store, also those that should be there.
add_authorities() {
  for path in "$debian_store"/harbor-agent-*.crt "$redhat_store"/harbor-agent-*.crt; do add_existing "$path"; done
  named=$(grep -oh "\"/[^\"]*/harbor-agent-[^/\"]*\.crt\"" /var/lib/harbor-agent/record/*.json | tr -d '"')
  IFS=$newline
  for path in $named; do
    case ${path%/*} in "$debian_store" | "$redhat_store") add_path "$path" ;; esac
  done
  IFS=$standard_separators
}

# The files in which kubelet has logins, of others too: only if they are asked for, or were changed before.
add_logins() {
  named=$(grep -oh '"/[^"]*/config\.json"' /var/lib/harbor-agent/record/*.json | tr -d '"')
  IFS=$newline
  [ -z "$reads_logins" ] || named="$named$newline$login_files"
  for path in $named; do add_path "$path"; done
  IFS=$standard_separators
}

add_path() {
  case $1 in /*) ;; *) return 0 ;; esac
  case $1 in *"$newline"*) return 0 ;; esac
  case "$newline$paths$newline" in *"$newline$1$newline"*) ;; *) paths=$paths${paths:+$newline}$1 ;; esac
}

add_existing() {
  if [ -e "$1" ] || [ -L "$1" ]; then add_path "$1"; fi
}

# add_recorded RUNTIME: what this tool changed last, or ever: a rollback asks for no registry.
add_recorded() {
  recorded=$(
    grep -o '"/[^"]*"' "/var/lib/harbor-agent/record/$1.json" | tr -d '"'
    sed -n 's/^.* \(\/.*\) \.$/\1/p' /var/lib/harbor-agent/pristine/manifest
  )
  IFS=$newline
  set -f
  for path in $recorded; do
    add_path "$path"
    add_path "${path%/*}"
  done
  set +f
  IFS=$standard_separators
}

add_directory() {
  [ -d "$1" ] || return 0
  if [ ! -r "$1" ] || [ ! -x "$1" ]; then
    printf 'unreadable directory-unreadable %s\n' "$1"
    return 0
  fi
  for path in "$1"/*.conf; do add_existing "$path"; done
}

# Runs its arguments followed by every path found so far.
run_with_paths() (
  IFS=$newline
  set -f
  # shellcheck disable=SC2086 # split at the line ends, on purpose
  "$@" $paths
)

# The same with the files that can be read; GNU sed stops at a directory.
run_with_texts() (
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
    print_property EnvironmentFiles | sed 's/ (ignore_errors=[a-z]*)//g'
    run_with_texts sed -n 's/^[[:space:]]*EnvironmentFile[[:space:]]*=[[:space:]]*-\{0,1\}["'\'']\{0,1\}\(\/[^"'\'']*\).*/\1/p' 2>/dev/null
  )
  IFS=$newline
  # shellcheck disable=SC2086 # EnvironmentFile= takes globs
  for path in $named; do add_path "${path%"${path##*[! ]}"}"; done
  IFS=$standard_separators
}

# The directories for settings that a reboot empties: in memory, or on an overlay whose changes are in memory.
report_volatile() {
  stat -f -c '%T %n' /etc /etc/default /etc/docker /etc/sysconfig /etc/systemd/system |
    while read -r kind directory; do
      case $kind in
        tmpfs | ramfs) printf 'volatile %s %s\n' "$kind" "$directory" ;;
        overlayfs | overlay)
          case $(stat -f -c %T "$(find_upper_directory "$directory")") in
            tmpfs | ramfs) printf 'volatile overlay-in-memory %s\n' "$directory" ;;
          esac
          ;;
      esac
    done
}

# The directory that takes the changes of the overlay that $1 is on.
find_upper_directory() {
  mounted=$(df -P "$1" | sed -n '2s/.*% //p')
  sed -n "s|^[^ ]* $mounted overlay .*[,]upperdir=\([^, ]*\).*|\1|p" /proc/mounts | tail -n 1
}

report_files() {
  kept_times=$(cat /var/lib/harbor-agent/change-times)
  run_with_paths stat -c '%f %u %g %s %Z %n' -- 2>/dev/null | while read -r mode uid gid size changed path; do
    printf 'file %s %s %s %s\n' "$mode" "$uid" "$gid" "$path"
    if [ -L "$path" ]; then changed=$(stat -L -c %Z -- "$path"); fi
    case $kept_times$newline in *" $path$newline"*) changed=$(print_earlier_change "$path" "$changed") ;; esac
    if [ -f "$path" ]; then printf 'changed %s\n' "$changed"; fi
    if [ -L "$path" ]; then readlink "$path" | print_block link; fi
    [ -f "$path" ] || continue
    case "$bare$newline" in *"$newline$path$newline"*) continue ;; esac
    report_content "$path" "$size"
  done
  printf '%s\n' "$paths" | while read -r path; do
    [ -n "$path" ] || continue
    if [ -e "$path" ] || [ -L "$path" ]; then continue; fi
    if is_hidden "$path"; then
      printf 'unreadable file-unreadable %s\n' "$path"
    else
      printf 'absent %s\n' "$path"
    fi
  done
}

# print_earlier_change PATH SECONDS: the time of change before a transaction that left the file as it was, if nothing has
# changed it since, else SECONDS.
print_earlier_change() {
  exact=$(TZ=UTC0 stat -c %z -- "$1" | tr ' ' T)
  printf '%s\n' "$kept_times" | {
    while read -r earlier kept file; do
      if [ "$kept $file" = "$exact $1" ]; then set -- "$1" "$earlier"; fi
    done
    printf '%s' "$2"
  }
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
    print_block content <"$1"
  fi
}

# Whether a path only seems absent because a directory above it may not be searched.
is_hidden() {
  above=${1%/*}
  while [ -n "$above" ] && [ ! -e "$above" ]; do above=${above%/*}; done
  [ -d "${above:-/}" ] && [ ! -x "${above:-/}" ]
}

report_own_state() {
  state=/var/lib/harbor-agent
  if [ -d "$state" ] && [ ! -x "$state" ]; then printf 'unreadable directory-unreadable %s\n' "$state"; fi
  for record in "$state"/record/*.json; do
    if [ -r "$record" ]; then
      runtime=${record##*/}
      print_block record "${runtime%.json}" <"$record"
    fi
  done
  {
    # A transaction that has changed files has its recovery armed; one under way is a unit. Every user can see both.
    sed -n 's/^ExecStart=.* recover //p' /etc/systemd/system/harbor-agent-recovery.service
    list_unrestored
    systemctl is-active --quiet harbor-agent-transaction.service &&
      systemctl show harbor-agent-transaction.service -p Description | sed -n 's/^Description=harbor-agent transaction //p'
  } | sort -u | while read -r transaction; do
    is_finished "$transaction" || printf 'pending %s\n' "$transaction"
  done
}

# One after which the runtime did not start again, unless it runs by now.
list_unrestored() {
  read -r transaction <"$state/unrestored" || return 0
  unit=$(sed -n 's/^unit //p' "$state/transactions/$transaction/plan")
  [ -z "$unit" ] || systemctl is-active --quiet "$unit" || printf '%s\n' "$transaction"
}

# One that could not be rolled back is not finished: its recovery would also undo later edits at the next boot. Nor is a
# committed one whose recovery could not be removed.
is_finished() {
  case $(sed -n 's/^\([a-z_0-9-]*\) .* \.$/\1/p' "$state/transactions/$1/journal" | tail -n 1) in
    rolled_back | refused) return 0 ;;
    committed | committing) ! grep -q " recover $1\$" /etc/systemd/system/harbor-agent-recovery.service; return ;;
  esac
  return 1
}

gather() {
  entries='' known='' reads_logins='' login_files=''
  for entry in "$@"; do
    case $entry in
      =*) ;;
      @*) continue ;;
      +*) reads_logins=yes && continue ;;
      *) entries="$entries $entry" ;;
    esac
    known="$known ${entry#=}"
  done
  note_processes
  report_system
  report_own_state
  report_kubelet
  # Of the files in bare, only what stat says of them is reported.
  paths='' bare='' present=''
  report_names "$@"
  for runtime in $RUNTIMES; do
    if "find_$runtime"; then
      present="$present $runtime"
      "report_$runtime"
    fi
  done
  # The daemons are asked while the files are read.
  add_authorities
  add_logins
  [ -z "$present" ] || ask_daemons | {
    report_files
    report_volatile
    cat
  }
}

ask_daemons() {
  for runtime in $present; do "ask_$runtime"; done
}

main() {
  exec 2>/dev/null </dev/null
  LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/bin
  export LC_ALL PATH
  newline='
'
  standard_separators=$IFS
  debian_store=/usr/local/share/ca-certificates redhat_store=/etc/pki/ca-trust/source/anchors
  # In one piece: an SSH server would send each line as a packet, which costs the controller time.
  answer=$(
    report_reachability "$@" | {
      gather "$@" </dev/null
      cat
    }
  )
  printf '\nharbor-agent/probe/1 begin\n%s\nharbor-agent/probe/1 end\n' "$answer"
}

main "$@"
