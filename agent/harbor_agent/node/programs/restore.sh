# shellcheck shell=sh disable=SC2034,SC2154
# Restoration: after a failed change, after an interruption, at boot, and on request. Functions only; part of the
# program that transaction.sh ends.

# restore CODE DETAIL: restores every file and the daemon, and checks both. Ends in a final step.
restore() {
  journal restoring "$1" "$2"
  if is_stopping; then return 0; fi
  cause_code=$1 cause_detail=$2
  # The restored file does not ask for live-restore, and a daemon that starts with it before its restart stops containers.
  if has_step keeping && ! is_active; then hold_unit; fi
  if ! restore_files 2>"$T/trouble"; then
    detail=$(cat "$T/trouble")
    if [ "$action" != none ] && ! is_active; then
      if start_as_before; then
        detail="$detail; $unit runs with its earlier arguments until the files can be restored"
      else
        detail="$detail; $unit does not run: $DETAIL"
      fi
    fi
    # Recovery at boot stays armed: the disk may be writable then.
    journal rollback_failed restore-failed "$detail"
    return 0
  fi
  remove_stand_in
  reload_units
  # The daemon is restored with or without the store.
  refresh_trust_store && unread='' || unread=$DETAIL
  if is_daemon_touched && ! restore_daemon; then
    end_restoration rollback_failed "$CODE" "$DETAIL (after: $cause_detail)"
  elif [ -n "$unread" ]; then
    end_restoration rollback_failed trust-store-failed "$unread (after: $cause_detail)"
  else
    end_restoration rolled_back "$cause_code" "$cause_detail"
  fi
}

is_daemon_touched() {
  [ "$action" != none ] || return 1
  has_step activating || has_step keeping || ! is_as_before
}

end_restoration() {
  save_outcome
  if [ "$1" = rollback_failed ]; then printf '%s\n' "$ID" >"$STATE/unrestored"; else rm -f "$STATE/unrestored"; fi
  journal "$@"
  close
}

# During shutdown systemd refuses to start anything; recovery at boot does the rest.
is_stopping() {
  [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]
}

restore_files() {
  number=$(count_changes)
  while [ "$number" -gt 0 ]; do
    read_change "$number"
    # If the step was lost, the file's hash shows that this transaction wrote it.
    if has_step "swapping-$number" || [ "$(fingerprint "$path")" = "$after" ]; then restore_file "$path" "$before" || return 1; fi
    number=$((number - 1))
  done
  remove_directories "$T/created-directories"
  if [ -f "$T/record.before" ]; then
    swap_in "$T/record.before" "$STATE/record/$runtime.json" 600 0 0 || return 1
  else
    rm -f "$STATE/record/$runtime.json"
  fi
}

restore_file() {
  # A person may have repaired it since.
  if [ "${ended:-}" = rollback_failed ]; then
    case $(fingerprint "$1") in "$2" | "$after") ;; *) return 0 ;; esac
  fi
  rm -f "${1%/*}/.${1##*/}.harbor-agent."??????
  if [ "$(fingerprint "$1")" != "$2" ]; then
    unstage "$1" "$2" 2>/dev/null || set_file "$1" "$2" "$T/before.$number" || return 1
  fi
  [ "$(fingerprint "$1")" = "$2" ] && return 0
  echo "$1 is not as it was" >&2
  return 1
}

restore_daemon() {
  deadline=$(($(now) + patience))
  # A person, or the drop-in in /run, has started it as it was.
  if [ "${ended:-}" = rollback_failed ] && is_active && is_as_before && ! must_disable_live_restore; then
    start_dependents
    return
  fi
  # A reload revokes what a reload brought.
  if { [ "$action" = reload ] || ! has_step activating; } && is_active; then
    revoke
    until_deadline $(($(now) + 3)) is_revoked && return 0
    fail registry-not-live "a reload did not restore the daemon's live list" || journal restarting "$CODE" "$DETAIL"
  fi
  if ! restart_keeping_workloads; then
    deadline=$(($(now) + patience))
    restart_unit "$deadline" || return 1
  fi
  until_deadline "$deadline" is_as_before ||
    { fail restore-failed "the daemon's live list is not what it was"; return 1; }
  start_dependents || return 1
  # Lost workloads are reported; they do not mean that the restoration failed.
  await_workloads
  await_health
}

# If the journal was lost, the recovery unit is proof too.
is_prepared() {
  has_step prepared || is_armed
}

# Before recovery is armed no file was changed, and during shutdown nothing would resume a restoration.
finish() {
  remove_stages
  if is_final; then
    remove_aids
    [ "$step" = rollback_failed ] || disarm
  elif [ "$step" = committing ]; then
    end_commit "${step_code#-}" "$(printf '%s' "${step_detail#-}" | base64 -d)"
    close
  elif is_armed || { is_prepared && ! is_stopping; }; then
    restore transaction-interrupted "the transaction's process ended after step $(print_last_progress)"
  else
    journal refused transaction-interrupted "the transaction's process ended after step $(print_last_progress)"
    close
  fi
}

# At boot: files only; the runtime starts afterwards, with the restored files.
recover() {
  # The same boot: sysinit.target was started again while the transaction runs.
  if [ "$(cat /proc/sys/kernel/random/boot_id)" = "$(cat "$T/boot-id")" ]; then return 0; fi
  read_journal
  if [ "$step" = committing ]; then
    end_commit "${step_code#-}" "$(printf '%s' "${step_detail#-}" | base64 -d)"
  elif is_final && [ "$step" != rollback_failed ]; then
    disarm
  elif ! is_prepared; then
    journal refused transaction-interrupted "the node went down after step $(print_last_progress)"
  elif restore_files 2>"$T/trouble" && { refresh_trust_store || { printf '%s' "$DETAIL" >"$T/trouble" && false; }; }; then
    journal restored
  else
    journal rollback_failed restore-failed "$(cat "$T/trouble")"
  fi
  remove_aids
  prune
  sync
  # The unit's job waits for this: it starts with the restored files.
  systemctl daemon-reload
  read_journal
  [ "$step" != restored ] || start_unit settle
}

# After recover: only a comparison with the daemon that booted shows whether the node is as before.
settle() {
  CODE='' DETAIL=''
  went_down="the node went down after step $(print_last_progress)"
  if [ "$action" = none ]; then
    end_restoration rolled_back transaction-interrupted "$went_down"
    return 0
  fi
  until_deadline $(($(now) + patience)) has_booted
  if is_active && ! until_deadline $(($(now) + 5)) is_as_before && ! restart_and_compare; then
    end_restoration rollback_failed "$CODE" "$DETAIL (after: $went_down)"
  elif is_active; then
    end_restoration rolled_back transaction-interrupted "$went_down"
  elif is_wanted_at_boot; then
    fail "$runtime-start-failed" "$(print_last_error)"
    end_restoration rollback_failed "$CODE" "$DETAIL (after: $went_down)"
  else
    end_restoration rolled_back transaction-interrupted "$went_down; $unit is not started at boot"
  fi
}

# Asked seldom, because a booting node has other work. The unit may be queued behind others until the boot is over.
has_booted() {
  read_unit
  case $facts in
    *Job=[1-9]*) ;;
    *ActiveState=active*) return 0 ;;
    *SubState=auto-restart*) ;;
    *ActiveState=failed* | *ActiveState=inactive*)
      case $(systemctl is-system-running 2>/dev/null) in initializing | starting) ;; *) return 0 ;; esac
      ;;
  esac
  sleep 0.5 2>/dev/null || sleep 1
  return 1
}

is_wanted_at_boot() {
  systemctl is-enabled --quiet "$unit" 2>/dev/null
}

restart_and_compare() {
  deadline=$(($(now) + patience))
  restart_unit "$deadline" || return 1
  until_deadline "$deadline" is_as_before || fail restore-failed "the daemon's live list is not what it was"
}

rollback() {
  undo_unless rolled_back refused
}

# Ends a transaction that was interrupted. One that is still running belongs to another run, and is only reported.
resolve() {
  if [ -f "$T/journal" ] && ! is_final && is_locked; then
    read_journal
    report
    return 0
  fi
  undo_unless committed rolled_back refused
}

# undo_unless STEP…: waits for the end of the transaction, and undoes it if that is another one.
undo_unless() {
  require_node || return 0
  if [ ! -f "$T/journal" ] && ! ensure_state; then
    # Without its state nothing can be restored, neither now nor at the next boot.
    [ "$1" != committed ] || disarm
    report
    return 0
  fi
  until_deadline $(($(now) + 300)) is_final_or_gone
  read_journal
  case " $* " in
    *" $step "*)
      if [ "$1" = committed ]; then
        remove_aids
        disarm
      fi
      ;;
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
    journal refused transaction-interrupted "the transaction was interrupted before it changed anything"
  elif ! arm 2>"$T/trouble"; then
    journal rollback_failed state-not-writable "recovery at boot could not be armed: $(cat "$T/trouble")"
  else
    # The workloads that ran before the change may have ended long ago.
    if [ "$ended" = committed ] && has_step activating; then
      note_workloads
      list_dependents >"$T/dependents.before"
    fi
    restore rollback-requested "rolled back on request"
  fi
}

is_as_written() {
  number=1
  while read_change "$number"; do
    [ "$(fingerprint "$path")" = "$after" ] || { fail plan-stale "$path was changed after the transaction"; return 1; }
    number=$((number + 1))
  done
}
