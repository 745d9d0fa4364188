# shellcheck shell=sh disable=SC2034,SC2154
# What the files were before a transaction, read-only, as one framed document (node/wire/snapshots.py decodes it).
# Argument: a transaction's ID, `last` (the newest committed one) or `pristine` (the files before the first one).
# journal.sh and files.sh precede this text. Everything is a function and the call is the last line, so that a truncated
# copy does nothing.

describe() {
  [ "$(id -u)" = 0 ] || { fail not-root "reading the backups of a node takes root"; return 1; }
  [ -d "$STATE" ] || { fail history-empty "nothing was changed on the node yet: it has no $STATE"; return 1; }
  case $1 in
    pristine) describe_pristine ;;
    last)
      last=$(find_last_committed)
      [ -n "$last" ] || { fail history-empty "no transaction on the node is committed"; return 1; }
      describe_transaction "$last"
      ;;
    *) describe_transaction "$1" ;;
  esac
}

find_last_committed() {
  list_newest_first | while read -r identity; do
    if is_final "$STATE/transactions/$identity" && [ "$step" = committed ]; then
      printf '%s' "$identity"
      break
    fi
  done
}

# By the plan, which is written once; an attempted rollback changes the journal and the directory.
list_newest_first() {
  for plan in "$STATE"/transactions/*/plan; do
    [ ! -f "$plan" ] || TZ=UTC0 stat -c '%y %n' -- "$plan"
  done | sort -r | sed 's,/plan$,,; s,.*/,,'
}

list_kept() {
  list_newest_first | while read -r identity; do
    if has_step prepared "$STATE/transactions/$identity"; then printf ' %s' "$identity"; fi
  done
}

describe_transaction() {
  T=$STATE/transactions/$1
  if [ ! -f "$T/plan" ]; then
    kept=$(list_kept)
    fail history-unknown "the node knows no transaction $1; it knows${kept:- none}"
    return 1
  fi
  read_journal
  # Without a journal the backups are enough: their hashes prove them.
  if [ "$step" = refused ] || { [ -n "$step" ] && ! has_step prepared; }; then
    fail history-empty "transaction $1 changed nothing"
    return 1
  fi
  case $step in committed | rolled_back | rollback_failed) phase=$step ;; *) phase=running ;; esac
  printf '%s\n' "transaction $1" "phase $phase" "runtime $(print_plan_value runtime)"
  number=1
  while read_change "$number"; do
    describe_file "$T/before.$number" || return 1
    number=$((number + 1))
  done
}

describe_pristine() {
  [ -s "$STATE/pristine/manifest" ] || { fail history-empty "no file was changed on the node yet"; return 1; }
  printf '%s\n' 'transaction pristine' 'phase none' 'runtime '
  after='- - - - -'
  while read_pristine; do
    path=$known before="$b1 $b2 $b3 $b4 $b5"
    describe_file "$STATE/pristine/$name" || return 1
  done <"$STATE/pristine/manifest"
}

# describe_file BACKUP: path with its before and after. The content that is hashed is the content that is sent.
describe_file() {
  content=
  case $before in
    absent*) ;;
    regular*)
      if ! content=$(base64 <"$1"); then
        fail history-backup-missing "the backup of $path is missing: $1"
        return 1
      fi
      sum=$(printf '%s' "$content" | base64 -d | sha256sum)
      if [ "${sum%% *}" != "${before##* }" ]; then
        fail history-backup-missing "the backup of $path has changed since it was made: $1"
        return 1
      fi
      ;;
    *)
      fail history-backup-missing "the plan has no usable state of $path from before: $before"
      return 1
      ;;
  esac
  printf 'file %s %s %s\n%s\n.\n' "$before" "$after" "$path" "$content"
}

main() {
  umask 077
  LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/bin
  export LC_ALL PATH
  exec 2>/dev/null </dev/null
  STATE=/var/lib/harbor-agent
  case $1 in '' | .* | *[!A-Za-z0-9._-]*) return 64 ;; esac
  answer=$(describe "$1" || printf 'problem %s %s\n' "$CODE" "$(encode "$DETAIL")")
  printf '\nharbor-agent/history/1 begin\n%s\nharbor-agent/history/1 end\n' "$answer"
}

main "$@"
