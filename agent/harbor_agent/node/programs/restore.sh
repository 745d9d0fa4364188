# shellcheck shell=sh disable=SC2034,SC2154
# The way back: after a failed change, after an interruption, at boot, and on request. Functions only; part of the
# program that transaction.sh ends.

# restore CODE DETAIL: every file back, the daemon too, and both proven. Ends in a final step.
restore() {
  journal restoring "$1" "$2"
  if is_stopping; then return 0; fi
  cause_code=$1 cause_detail=$2
  if ! put_back_files 2>"$T/trouble"; then
    # Recovery at boot stays armed: the disk may be writable then.
    journal rollback_failed restore-failed "$(cat "$T/trouble")"
    return 0
  fi
  have_systemd_read
  if is_daemon_touched && ! restore_daemon; then
    finish_restoration rollback_failed "$CODE" "$DETAIL (after: $cause_detail)"
  else
    finish_restoration rolled_back "$cause_code" "$cause_detail"
  fi
}

is_daemon_touched() {
  [ "$action" != none ] || return 1
  has_step activating || has_step keeping || ! is_live_as_before
}

finish_restoration() {
  save_outcome
  journal "$@"
  close
}

# During shutdown systemd refuses to start anything; recovery at boot takes over.
is_stopping() {
  [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]
}

put_back_files() {
  number=$(count_changes)
  while [ "$number" -gt 0 ]; do
    read_change "$number"
    # Without the journal's word, what we wrote is known by its hash.
    if has_step "swapping-$number" || [ "$(fingerprint "$path")" = "$after" ]; then put_back "$path" "$before" || return 1; fi
    number=$((number - 1))
  done
  remove_directories "$T/created-directories"
  if [ -f "$T/record.before" ]; then
    swap_in "$T/record.before" "$STATE/record/docker.json" 600 0 0 || return 1
  else
    rm -f "$STATE/record/docker.json"
  fi
}

put_back() {
  rm -f "${1%/*}/.${1##*/}.harbor-agent."??????
  if [ "$(fingerprint "$1")" != "$2" ]; then set_file "$1" "$2" "$T/before.$number" || return 1; fi
  [ "$(fingerprint "$1")" = "$2" ] && return 0
  echo "$1 is not as it was" >&2
  return 1
}

restore_daemon() {
  deadline=$(($(now) + patience))
  # What a reload brought, a reload takes back.
  if { [ "$action" = reload ] || ! has_step activating; } && is_active; then
    revoke
    until_deadline $(($(now) + 3)) is_daemon_as_before && return 0
    fail registry-not-live "the daemon did not go back by a reload" || journal restarting "$CODE" "$DETAIL"
  fi
  if ! restart_keeping_containers; then
    deadline=$(($(now) + patience))
    restart_daemon "$deadline" || return 1
  fi
  until_deadline "$deadline" is_live_as_before ||
    { fail restore-failed "the daemon's live list is not what it was"; return 1; }
  # Containers are told apart from the daemon: what is lost is reported, and no reason to call the files wrong.
  await_containers
  return 0
}

is_daemon_as_before() {
  is_live_as_before || return 1
  ! must_switch_off || is_live_restore_off
}

# A key that is gone from the file stays in force after SIGHUP (moby#36632): what takes it back is shown to the daemon
# for a moment. A key that the change did not bring may be a flag, and is not shown beside it.
revoke() {
  members='' value=''
  if planned_configuration | grep -q '"insecure-registries"' && ! grep -qs '"insecure-registries"' "$config_file"; then
    members='"insecure-registries":[]'
  fi
  if must_switch_off; then members="$members${members:+,}\"live-restore\":false" value=false; fi
  if [ -z "$members" ]; then
    reload_daemon
    return 0
  fi
  conceal && show "$members" "$value" && reload_daemon
  until_deadline $(($(now) + 3)) is_daemon_as_before
  reveal
}

# Sets the daemon's file, as restored, aside. reveal brings it back.
conceal() {
  known_file=$(fingerprint "$config_file")
  rm -f "$T/concealed"
  case $known_file in absent*) ;; *) cp -p "$config_file" "$T/concealed" ;; esac
}

# show MEMBERS VALUE: the daemon's file holds MEMBERS before what was set aside, and there VALUE for live-restore. It
# is an object, or dockerd would not have started with it.
show() {
  script='s/^[[:space:]]*{[[:space:]]*//; s/^[^}]/,&/'
  [ -z "$2" ] || script="$script; s/\"live-restore\"[[:space:]]*:[[:space:]]*[a-z]*/\"live-restore\":$2/g"
  {
    printf '{%s' "$1"
    if grep -qs '{' "$T/concealed"; then tr '\n' ' ' <"$T/concealed" | sed "$script"; else printf '}'; fi
  } >"$T/shown"
  case $known_file in absent*) shown='regular 600 0 0 -' ;; *) shown=$known_file ;; esac
  set_file "$config_file" "$shown" "$T/shown"
}

reveal() {
  set_file "$config_file" "$known_file" "$T/concealed"
  remove_directories "$T/created-directories"
}

# The recovery unit is proof too, where the journal was lost.
is_prepared() {
  has_step prepared || is_armed
}

# Before recovery is armed no file was changed, and in a shutdown nobody would take up a restoration.
finish() {
  remove_stages
  if is_final; then
    [ "$step" = rollback_failed ] || disarm
  elif is_armed || { is_prepared && ! is_stopping; }; then
    restore transaction-interrupted "the transaction's process ended after step $(last_progress)"
  else
    journal refused transaction-interrupted "the transaction's process ended after step $(last_progress)"
    close
  fi
}

# At boot: files only; Docker starts afterwards by itself with what is restored here.
recover() {
  # The same boot: somebody started sysinit.target again while the transaction runs.
  if [ "$(cat /proc/sys/kernel/random/boot_id)" = "$(cat "$T/boot-id")" ]; then return 0; fi
  if is_final && [ "$step" != rollback_failed ]; then
    disarm
  elif ! is_prepared; then
    journal refused transaction-interrupted "the node went down after step $(last_progress)"
  elif put_back_files 2>"$T/trouble"; then
    journal rolled_back transaction-interrupted "the node went down after step $(last_progress)"
    disarm
  else
    journal rollback_failed restore-failed "$(cat "$T/trouble")"
  fi
  prune
  sync
  systemctl daemon-reload
}

rollback() {
  require_node || return 0
  [ -f "$T/journal" ] || { report; return 0; }
  until_deadline $(($(now) + 300)) is_final_or_gone
  read_journal
  case $step in
    rolled_back | refused) ;;
    *)
      wait_for_lock || return 0
      asked=$(grep -c '^undoing ' "$T/journal")
      start_unit undo || return 0
      until_deadline $(($(now) + 5)) is_undoing
      wait_until_final
      ;;
  esac
  report
}

is_undoing() {
  [ "$(grep -c '^undoing ' "$T/journal")" -gt "$asked" ]
}

undo() {
  CODE='' DETAIL=''
  is_final && ended=$step || ended=interrupted
  journal undoing
  if [ "$ended" = committed ] && ! is_as_written; then
    journal committed "$CODE" "$DETAIL"
    return 0
  fi
  cat /proc/sys/kernel/random/boot_id >"$T/boot-id"
  if ! is_prepared; then
    journal refused transaction-interrupted "the transaction was broken off before it changed anything"
  elif ! arm 2>"$T/trouble"; then
    journal rollback_failed state-not-writable "recovery at boot could not be armed: $(cat "$T/trouble")"
  else
    # What ran when the change was made may long be gone.
    if has_step activating; then list_containers --filter status=running >"$T/containers.before"; fi
    restore rollback-requested "taken back on request"
  fi
}

is_as_written() {
  number=1
  while read_change "$number"; do
    [ "$(fingerprint "$path")" = "$after" ] || { fail plan-stale "$path was changed after the transaction"; return 1; }
    number=$((number + 1))
  done
}
