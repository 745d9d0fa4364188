# shellcheck shell=sh disable=SC2034,SC2154
# Files of a transaction: fingerprints, atomic replacement, backup and restoration. Functions only; part of the program
# that transaction.sh ends. T is the transaction's directory, STATE the one above `transactions`; CODE and DETAIL are
# the reason of a failure.

# "KIND MODE UID GID SHA256" of a path, as in plans; links are not followed.
fingerprint() {
  if [ -L "$1" ]; then
    printf 'symlink - - - -'
  elif [ ! -e "$1" ]; then
    printf 'absent - - - -'
  elif [ ! -f "$1" ]; then
    printf 'other - - - -'
  else
    printf 'regular %s %s' "$(stat -c '%a %u %g' -- "$1")" "$(hash_file "$1")"
  fi
}

hash_file() {
  sum=$(sha256sum <"$1") && printf '%s' "${sum%% *}"
}

# Sets path, before and after (fingerprints) of change number $1; fails if there is no such change.
read_change() {
  while read -r word count b1 b2 b3 b4 b5 a1 a2 a3 a4 a5 path; do
    [ "$word $count" = "change $1" ] || continue
    before="$b1 $b2 $b3 $b4 $b5"
    after="$a1 $a2 $a3 $a4 $a5"
    return 0
  done <"$T/plan"
  return 1
}

count_changes() {
  grep -c '^change ' "$T/plan"
}

# Changes to a directory by its real path, which is empty for / itself; the caller is a subshell.
enter_directory() {
  set -- "${1:-/}"
  cd -P -- "$1" || return 1
  [ "$(pwd -P)" = "$1" ] && return 0
  echo "$1 is reached through a link" >&2
  return 1
}

# swap_in SOURCE PATH MODE UID GID: replaces PATH's content by SOURCE's, durably, or leaves PATH unchanged.
swap_in() (
  enter_directory "${2%/*}" || exit 1
  name=${2##*/}
  staged=$(mktemp "./.$name.harbor-agent.XXXXXX") || exit 1
  if cat -- "$1" >"$staged" && chown "$4:$5" "$staged" && chmod "$3" "$staged" && keep_label "$staged" "$name" &&
    sync "$staged" && mv -fT "$staged" "./$name" && sync .; then
    exit 0
  fi
  rm -f "$staged"
  exit 1
)

# SELinux: a replaced file keeps its label, a new one gets the label that the policy has for its path.
keep_label() {
  [ -e /sys/fs/selinux/enforce ] || return 0
  if [ -e "$2" ]; then
    chcon --reference="./$2" "$1"
  elif command -v restorecon >/dev/null 2>&1; then
    label=$(matchpathcon -n "$(pwd -P)/$2" 2>/dev/null) || return 0
    chcon "$label" "$1"
  fi
}

remove_file() (
  enter_directory "${1%/*}" || exit 1
  rm -f "./${1##*/}" && sync .
)

# set_file PATH FINGERPRINT SOURCE: makes PATH match the fingerprint.
set_file() {
  # shellcheck disable=SC2086 # five words
  set -- "$1" "$3" $2
  case $3 in
    absent)
      [ -d "${1%/*}/" ] || return 0
      remove_file "$1"
      ;;
    regular) make_directory "${1%/*}" && swap_in "$2" "$1" "$4" "$5" "$6" ;;
    *)
      echo "$1 cannot be made a $3" >&2
      return 1
      ;;
  esac
}

# Notes a directory before creating it, so that a restoration removes it again.
make_directory() {
  if [ -z "$1" ] || [ -d "$1" ]; then return 0; fi
  make_directory "${1%/*}" || return 1
  if [ -L "$1" ] || [ -e "$1" ]; then
    echo "$1 is no directory" >&2
    return 1
  fi
  printf '%s\n' "$1" >>"$T/created-directories" && sync "$T/created-directories" &&
    mkdir -m 0755 -- "$1" && sync "${1%/*}/"
}

# Deepest first; a directory that has other files stays.
remove_directories() {
  [ -f "$1" ] || return 0
  sed '1!G;h;$!d' "$1" | while read -r directory; do
    if [ -d "$directory" ] && [ ! -L "$directory" ]; then rmdir -- "$directory" 2>/dev/null; fi
  done
  :
}

# Checks whether the change is possible, without changing anything.
check_writable() {
  parent=${path%/*}
  while [ -n "$parent" ] && [ ! -e "$parent" ] && [ ! -L "$parent" ]; do parent=${parent%/*}; done
  trial=$(
    exec 2>&1
    enter_directory "$parent" || exit 1
    probe=$(mktemp ./.harbor-agent.XXXXXX) || exit 1
    status=0
    if [ -f "$T/after.$number" ]; then cat "$T/after.$number" >"$probe" && sync "$probe" || status=1; fi
    rm -f "$probe"
    # An immutable or bind-mounted file cannot be linked either, and unlike writing that changes nothing.
    if [ "$status" = 0 ] && [ -f "$path" ]; then ln "./${path##*/}" "$probe" && rm -f "$probe" || status=1; fi
    exit "$status"
  ) && return 0
  case $trial in
    *'No space left'* | *'quota'*) fail no-space "$path: $trial" ;;
    *'through a link'*) fail target-is-symlink "$path: $trial" ;;
    *) fail file-not-writable "$path: $trial" ;;
  esac
}

check_fingerprint() {
  found=$(fingerprint "$path")
  case $found in
    symlink*) fail target-is-symlink "$path is a symbolic link" || return 1 ;;
    other*) fail file-not-writable "$path is no regular file" || return 1 ;;
    "$before") return 0 ;;
  esac
  fail plan-stale "$path is no longer as planned: expected $before, found $found"
}

# The trial of check_writable and a restoration give a file a new time of change (ctime), by which the probe would take it
# for an edit that the runtime has not read. So the earlier time is kept for a file that is as it was found.
note_change_times() {
  number=1
  while read_change "$number"; do
    print_change_time "$path"
    number=$((number + 1))
  done >"$T/change-times"
}

# In seconds since 1970; 0 for a file that is absent.
print_change_time() {
  exact=$(print_exact_change_time "$1")
  while read -r earlier kept changed; do
    if [ "$kept $changed" = "$exact $1" ]; then echo "$earlier" && return 0; fi
  done 2>/dev/null <"$STATE/change-times"
  stat -c %Z -- "$1" 2>/dev/null || echo 0
}

print_exact_change_time() {
  TZ=UTC0 stat -c %z -- "$1" 2>/dev/null | tr ' ' T
}

# A line is "EARLIER NOW PATH"; one whose file was changed since is of no use any more.
keep_change_times() {
  [ -s "$T/change-times" ] || return 0
  {
    tail -n 50 "$STATE/change-times" 2>/dev/null
    number=1
    while read_change "$number"; do
      case $before in
        regular*) [ "$(fingerprint "$path")" != "$before" ] || echo "$(sed -n "${number}p" "$T/change-times") $(print_exact_change_time "$path") $path" ;;
      esac
      number=$((number + 1))
    done
  } >"$STATE/change-times.new" && mv -f "$STATE/change-times.new" "$STATE/change-times"
}

# Backs up an existing file; an absent one is recorded in the plan.
back_up() {
  case $before in absent*) return 0 ;; esac
  cp -Pp -- "$path" "$T/before.$number" && sync "$T/before.$number" || return 1
  case $(fingerprint "$T/before.$number") in
    "$before") return 0 ;;
    *) return 1 ;;
  esac
}

# Puts a copy of the file beside it, so that a restoration is one rename even if the disk is full by then.
stage() (
  case $before in absent*) exit 0 ;; esac
  enter_directory "${path%/*}" || exit 1
  name=${path##*/}
  staged=./.$name.harbor-agent.old
  rm -f "$staged"
  cp -Pp -- "./$name" "$staged" && keep_label "$staged" "$name" && sync "$staged" .
)

# unstage PATH FINGERPRINT: renames the staged copy into place, if it is as it should be.
unstage() (
  enter_directory "${1%/*}" || exit 1
  staged=./.${1##*/}.harbor-agent.old
  [ "$(fingerprint "$staged")" = "$2" ] && mv -fT "$staged" "./${1##*/}" && sync .
)

# Removes what only a restoration needs: the staged copies, and the copy of the state.
remove_aids() {
  rm -rf "$COPY"
  number=1
  while read_change "$number"; do
    staged=${path%/*}/.${path##*/}.harbor-agent.old
    [ ! -e "$staged" ] || { rm -f "$staged" && sync "${path%/*}"; }
    number=$((number + 1))
  done
}

# The first state of a file that this tool ever saw is never deleted.
keep_pristine() {
  mkdir -p "$STATE/pristine" && touch "$STATE/pristine/manifest" || return 1
  while read_pristine; do
    [ "$known" != "$path" ] || return 0
  done <"$STATE/pristine/manifest"
  name=$(($(wc -l <"$STATE/pristine/manifest") + 1))
  if [ -f "$T/before.$number" ]; then
    cp -p "$T/before.$number" "$STATE/pristine/$name" && sync "$STATE/pristine/$name" || return 1
  fi
  printf '\n%s %s %s .\n' "$name" "$before" "$path" >>"$STATE/pristine/manifest" && sync "$STATE/pristine/manifest"
}

# Sets name, b1 to b5 (a fingerprint) and known (a path) of the next complete line of the manifest on standard input. As
# in the journal, a line without the dot at its end is torn; its file was not changed.
read_pristine() {
  while read -r name b1 b2 b3 b4 b5 known; do
    case $known in /*' .') ;; *) continue ;; esac
    known=${known% .}
    return 0
  done
  return 1
}

# Has systemd read unit files again if this change has any, and before a restart if it has not read others yet: the plan
# takes those into account.
reload_units() {
  changes_units || { [ "$action" = restart ] && is_unread; } || return 0
  said=$(systemctl daemon-reload 2>&1) && return 0
  fail daemon-reload-failed "systemd did not read its files again: $said"
}

is_unread() {
  [ "$(systemctl show "$unit" -p NeedDaemonReload 2>/dev/null)" = NeedDaemonReload=yes ]
}

# Whether unit files are among the changes.
changes_units() {
  grep -qE '^change .* /(etc|run|usr/lib|usr/local/lib|lib)/systemd/[^ ]*$' "$T/plan"
}
