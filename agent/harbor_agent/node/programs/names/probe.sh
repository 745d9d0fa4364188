# shellcheck shell=sh disable=SC2154
# Names in /etc/hosts: what decides whether the file is read, and what the names resolve to. Functions only; part of the
# program that probe.sh ends.

# Adds /etc/hosts to the paths. Arguments: those of the probe; names are @NAME=ADDRESS.
report_names() {
  case " $*" in *' @'*) ;; *) is_hosts_recorded || return 0 ;; esac
  add_path /etc/hosts
  sed -n 's/^[[:space:]]*hosts[[:space:]]*://p' /etc/nsswitch.conf | print_block names nsswitch
  grep -E '^([^ ]+ ){4}/etc/hosts ' /proc/self/mountinfo | print_block names mount
  is_cloud_init_off || grep -HE '^[[:space:]]*.?manage_etc_hosts' /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg \
    /var/lib/cloud/instance/vendor-cloud-config.txt /var/lib/cloud/instance/cloud-config.txt | print_block names cloud-init
}

# Whether a record of this tool has the file, so that drift or a rollback is about it.
is_hosts_recorded() {
  for record in /var/lib/harbor-agent/record/*.json; do
    [ -r "$record" ] || continue
    while read -r line; do
      case $line in '"/etc/hosts"'*) return 0 ;; esac
    done <"$record"
  done
  return 1
}

is_cloud_init_off() {
  [ -e /etc/cloud/cloud-init.disabled ] || grep -q 'cloud-init=disabled' /proc/cmdline || ! [ -d /etc/cloud ]
}

# report_resolved @NAME=ADDRESS
report_resolved() {
  name=${1#@}
  name=${name%%=*}
  printf 'resolved %s %s\n' "$name" "$(resolve "$name")"
}

# find_planned_address HOST @NAME=ADDRESS…: prints the address that the host gets, nothing if it gets none.
find_planned_address() {
  wanted=$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]')
  shift
  for name in "$@"; do
    case $name in "@$wanted="*) printf '%s' "${name#*=}" ;; esac
  done
}
