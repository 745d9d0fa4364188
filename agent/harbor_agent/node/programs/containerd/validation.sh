# shellcheck shell=sh disable=SC2034,SC2154
# Whether containerd would take the planned files. Functions only; part of the program that transaction.sh ends.
#
# containerd's own `config dump` says what the files mean to it. It does not know what its CRI plugin refuses: mirrors, and
# up to 1.7 TLS settings, beside config_path.

# Before the change: with the planned main file, under another name beside the real one, because imports may be relative.
# A restart also reads what another program has broken since the plan, so the present files are judged if none of them changes.
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
  changes_configuration || [ ! -e "$config_file" ] || dump_configuration "$config_file" >/dev/null 2>&1 || explain_rejection "$config_file"
}

judge_file() {
  [ -d "${config_file%/*}" ] || return 0
  if ! stage=$(mktemp "${config_file%/*}/.harbor-agent-judge.XXXXXX") || ! cat "$1" >"$stage"; then
    rm -f "$stage"
    fail file-not-writable "${config_file%/*} cannot be written"
    return 1
  fi
  # It may not be the only file that changes; only the whole shows whether anything else does.
  dump_configuration "$stage" >/dev/null 2>&1 || explain_rejection "$stage"
  status=$?
  rm -f "$stage"
  return "$status"
}

# explain_rejection FILE: fails with CODE and DETAIL, which name the file that the program rejects. 1.x names it in the
# last line, 2.x in the one before; neither does if a value has the wrong type.
explain_rejection() {
  complaint=$(dump_configuration "$1" 2>&1 >/dev/null)
  culprit=$(printf '%s\n' "$complaint" | sed -n -e 's/.* file=\(\/[^ ]*\).*/\1/p' -e 's/.*TOML[a-z ]*:* \(\/[^ ]*\): .*/\1/p' | tail -n 1)
  culprit=${culprit:-$(find_rejected_import "$1")}
  if [ "${culprit:-$1}" = "$1" ]; then culprit=$config_file; fi
  fail containerd-rejects-configuration "$culprit: $(printf '%s\n' "$complaint" | grep . | tail -n 1 |
    sed "s,failed to load TOML[a-z ]*:* [^ ]*: ,,; s,$1: ,,g; s,$1,$config_file,g; s/^containerd: //; s,://[^/@ ]*@,://***@,g" | cut -c1-400)"
}

# The imported file of a configuration file that the program rejects alone as well.
find_rejected_import() {
  sed -n '/^[[:space:]]*imports[[:space:]]*=/,/]/p' "$1" | grep -oE "[\"'][^\"']+[\"']" | tr -d "\"'" | while read -r pattern; do
    case $pattern in /*) ;; *) pattern=${config_file%/*}/$pattern ;; esac
    for imported in $pattern; do
      [ ! -f "$imported" ] || dump_configuration "$imported" >/dev/null 2>&1 || printf '%s\n' "$imported"
    done
  done | sed -n 1p
}

# After the swap and before the restart: whether nothing but the registries changes, and CRI would load. The configuration
# may hold passwords, so it is not written to a disk.
judge_swapped() {
  # Without a file containerd has its defaults; the program does not dump those.
  [ -e "$config_file" ] || return 0
  locate_containerd
  dumped=$(dump_configuration "$config_file" 2>/dev/null) || { explain_rejection "$config_file"; return 1; }
  if excludes_itself; then
    fail containerd-rejects-configuration "the CRI plugin would not load: config_path and mirrors or TLS settings are both set"
    return 1
  fi
  rest=$(printf '%s\n' "$dumped" | strip_registries)
  if [ -z "${rest_before:-}" ] || [ "$rest" = "$rest_before" ]; then return 0; fi
  printf '%s\n' "$rest_before" >"$COPY/rest.before" && printf '%s\n' "$rest" >"$COPY/rest.after"
  differing=$(
    grep -vxFf "$COPY/rest.before" "$COPY/rest.after"
    grep -vxFf "$COPY/rest.after" "$COPY/rest.before"
  )
  rm -f "$COPY/rest.before" "$COPY/rest.after"
  # A value may be a password.
  [ -z "$differing" ] || fail containerd-rejects-configuration "the planned files change more than the registries: $(
    printf '%s\n' "$differing" | sed 's/^ *//; s/ *=.*//' | sort -u | tr '\n' ' ' | cut -c1-300
  )"
}

# Whether CRI refuses what was dumped.
excludes_itself() {
  has_mirrors && [ -n "$(printf '%s\n' "$dumped" | filter_registry config_path)" ]
}

changes_configuration() {
  grep '^change ' "$T/plan" | grep -qv '/hosts\.toml$'
}

has_mirrors() {
  printf '%s\n' "$dumped" |
    grep -qE "^ *\[plugins\.[\"']io\.containerd\.(grpc\.v1\.cri|cri\.v1\.images)[\"']\.registry\.(mirrors\..*|configs\..*\.tls)\]" || return 1
  # 2.x reads and ignores TLS settings beside config_path.
  case $newline$dumped in *"${newline}version = "[3-9]*) ;; *) return 0 ;; esac
  case $dumped in *.registry.mirrors.*) ;; *) return 1 ;; esac
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
