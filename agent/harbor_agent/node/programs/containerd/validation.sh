# shellcheck shell=sh disable=SC2034,SC2154
# Whether containerd would take the planned files. Functions only; part of the program that transaction.sh ends.
#
# containerd's own `config dump` says what the files mean to it. It does not know what its CRI plugin refuses: mirrors, and
# up to 1.7 TLS settings, beside config_path.

# Before the change: with the planned main file, under another name beside the real one, because imports may be relative.
judge() {
  remove_stages
  number=1
  while read_change "$number"; do
    if [ "$path" = "$config_file" ]; then
      case $after in
        absent*) return 0 ;;
      esac
      judge_file "$T/after.$number"
      return
    fi
    number=$((number + 1))
  done
}

judge_file() {
  [ -d "${config_file%/*}" ] || return 0
  stage=$(mktemp "${config_file%/*}/.harbor-agent-judge.XXXXXX") || { fail state-not-writable "${config_file%/*}"; return 1; }
  cat "$1" >"$stage"
  # It may not be the only file that changes; only the whole shows whether anything else does.
  print_dump "$stage" >/dev/null
  status=$?
  rm -f "$stage"
  return "$status"
}

# print_dump FILE: fails with CODE and DETAIL if the program does not take the file.
print_dump() {
  dump_configuration "$1" 2>/dev/null && return 0
  fail containerd-rejects-configuration "$config_file: $(dump_configuration "$1" 2>&1 >/dev/null | grep . | tail -n 1 |
    sed "s,$1: ,,g; s,$1,$config_file,g; s/^containerd: //; s,://[^/@ ]*@,://***@,g" | cut -c1-400)"
}

# After the swap and before the restart: whether nothing but the registries changes, and CRI would load.
judge_swapped() {
  # Without a file containerd has its defaults; the program does not dump those.
  changes_configuration && [ -e "$config_file" ] || return 0
  locate_containerd
  print_dump "$config_file" >"$T/dump.after" || return 1
  chmod 0600 "$T/dump.after"
  if has_mirrors && [ -n "$(filter_registry config_path <"$T/dump.after")" ]; then
    fail containerd-rejects-configuration "the CRI plugin would not load: config_path and mirrors or TLS settings are both set"
    return 1
  fi
  if [ ! -s "$T/dump.before" ]; then return 0; fi
  strip_registries <"$T/dump.before" >"$T/rest.before"
  strip_registries <"$T/dump.after" >"$T/rest.after"
  differing=$(
    grep -vxFf "$T/rest.before" "$T/rest.after"
    grep -vxFf "$T/rest.after" "$T/rest.before"
  )
  rm -f "$T/rest.before" "$T/rest.after" "$T/dump.before" "$T/dump.after"
  # A value may be a password.
  [ -z "$differing" ] || fail containerd-rejects-configuration "the planned files change more than the registries: $(
    printf '%s\n' "$differing" | sed 's/^ *//; s/ *=.*//' | sort -u | tr '\n' ' ' | cut -c1-300
  )"
}

changes_configuration() {
  grep '^change ' "$T/plan" | grep -qv '/hosts\.toml$'
}

has_mirrors() {
  grep -qE "^ *\[plugins\.[\"']io\.containerd\.(grpc\.v1\.cri|cri\.v1\.images)[\"']\.registry\.(mirrors\..*|configs\..*\.tls)\]" "$T/dump.after" || return 1
  # 2.x reads and ignores TLS settings beside config_path.
  ! grep -q '^version = [3-9]' "$T/dump.after" || grep -q "\.registry\.mirrors\." "$T/dump.after"
}

# The configuration without the registry sections of CRI, and without the names of the files that were merged.
strip_registries() {
  sed -n -E -e ":again" -e "/^ *\[plugins\.[\"']io\.containerd\.(grpc\.v1\.cri|cri\.v1\.images)[\"']\.registry[].]/{" -e ":skip" -e n \
    -e "/^ *\[/!b skip" -e "b again" -e "}" -e "/^imports = /d" -e "/./p"
}

# Removes what a killed check left behind: a copy of the file may hold a password. No other one runs: the lock.
remove_stages() {
  rm -f "${config_file%/*}"/.harbor-agent-judge.??????
}
