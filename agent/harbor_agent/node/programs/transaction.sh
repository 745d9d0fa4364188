# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# One change of a node as a transaction that always ends in "committed" or "rolled_back".
#   begin ID     root; takes the node's lock (a transient unit of a fixed name), starts `run`, waits, reports
#   run ID       in that unit: preflight, back up, swap files, reload or restart, check, commit or restore
#   finish ID    in that unit, after `run` ended for any reason
#   recover ID   at boot before the runtime starts, if the node went down in the middle
#   settle ID    in that unit, after recover, when the runtime has started: compares it with what it was
#   status ID    reports;  rollback ID  restores a committed or broken-off one;  undo ID  its half in the unit
#   resolve ID   waits for one that is under way; rolls back one that was interrupted or could not be rolled back
# The other parts precede this text (node/wire/transaction.py has their order), the plan follows in variables. Everything
# is a function and the call is the last line, so that a truncated copy does nothing.
# (`A && B || fail` is meant as it reads, and variables are shared between the parts, hence the exceptions above.)
#
# The copy that the node keeps, for run, finish, recover and undo, also has the part of the runtime that the plan names:
#   before_change       fails with CODE and DETAIL if the runtime cannot be changed now; notes what it has in effect
#   judge               fails with CODE and DETAIL if the runtime would not take the planned files
#   judge_swapped       the same when they are in place, before the runtime reads them
#   limit_patience      prints the seconds in which the runtime must be healthy again, at most $patience
#   is_in_effect        fails with CODE and DETAIL if a change without an action did not take effect
#   note_workloads      writes the workloads that run to $T/workloads.before
#   keep_workloads      prepares the runtime so that they keep running, if the plan asks for it
#   reload              has the runtime read its files again
#   is_as_planned       whether it has in effect what the plan expects: 1 not yet, 2 never; sets CODE and DETAIL
#   is_as_before        whether it has in effect what it had before
#   name_hindrance      succeeds with CODE and DETAIL if it knows why the runtime does not start in time
#   adapt_arguments     filters the process's arguments, one per line, so that they name no changed file
#   are_workloads_back  whether the workloads run again; sets lost
#   is_node_healthy     whether the node is healthy if it was before the change; sets CODE and DETAIL
#   revoke              reloads the restored files so that nothing of the change stays in effect
#   is_revoked          whether that succeeded
#   restart_keeping_workloads  restarts the runtime if that takes more than restart_unit; fails if it does not
#   remove_stages       removes what a killed judge left behind
#   list_boot_units     prints the units that recovery at boot must precede

# shellcheck disable=SC2034 # live_restore is for Docker's parts
load() {
  live_restore=''
  while read -r word value; do
    case $word in
      runtime) runtime=$value ;;
      unit) unit=$value ;;
      action) action=$value ;;
      config-file) config_file=$value ;;
      deadline) patience=$value ;;
      live-restore) live_restore=$value ;;
    esac
  done <"$T/plan"
}

run() {
  CODE='' DETAIL=''
  if ! preflight || ! prepare; then
    journal refused "$CODE" "$DETAIL"
    disarm
    close
    return 0
  fi
  if swap_all && activate && commit; then
    close
    return 0
  fi
  restore "$CODE" "$DETAIL"
}

preflight() {
  journal preflight
  note_change_times || { fail state-not-writable "$T cannot be written"; return 1; }
  number=1
  while read_change "$number"; do
    check_fingerprint && check_writable || return 1
    number=$((number + 1))
  done
  check_trust_store || return 1
  : >"$T/live.before" && : >"$T/workloads.before" && : >"$T/dependents.before" || { fail state-not-writable "$T cannot be written"; return 1; }
  [ "$action" != none ] || return 0
  before_change || return 1
  note_process || { fail "$runtime-not-running" "the process of $unit has ended"; return 1; }
  # The runtime judges while it lists its workloads.
  { judge || printf '%s %s\n' "$CODE" "$DETAIL"; } >"$T/judgement" &
  list_dependents >"$T/dependents.before"
  note_workloads || { wait "$!"; return 1; }
  wait "$!"
  [ ! -s "$T/judgement" ] || { read -r CODE DETAIL <"$T/judgement"; return 1; }
}

# All that a restoration needs is on disk before "prepared" is in the journal; it is armed before a file changes. Copies
# are put beside the files when it is armed, because recovery removes them after a power cut.
prepare() {
  number=1
  while read_change "$number"; do
    back_up && keep_pristine || { fail backup-failed "$path could not be backed up"; return 1; }
    number=$((number + 1))
  done
  if [ -f "$STATE/record/$runtime.json" ]; then
    cp -p "$STATE/record/$runtime.json" "$T/record.before" && sync "$T/record.before" ||
      { fail backup-failed "the record could not be backed up"; return 1; }
  fi
  copy_state && sync "$T"/* && sync "$T" && journal prepared || { fail state-not-writable "$T cannot be written"; return 1; }
  arm 2>"$T/trouble" || { fail state-not-writable "recovery at boot could not be armed: $(cat "$T/trouble")"; return 1; }
  number=1
  while read_change "$number"; do
    stage || { fail backup-failed "no copy could be put beside $path"; return 1; }
    number=$((number + 1))
  done
  journal armed
}

# Before the runtime's units, so that the node boots with the files it had.
arm() {
  wants=/etc/systemd/system/sysinit.target.wants
  mkdir -p "$wants" && chmod 0755 "$wants" && printf '%s\n' '[Unit]' "Description=harbor-agent: restore the files from before transaction $ID" \
    DefaultDependencies=no 'After=local-fs.target systemd-remount-fs.service' "RequiresMountsFor=$STATE" \
    "Before=$(list_boot_units)" "Before=$unit" '[Service]' Type=oneshot \
    "ExecStart=/bin/sh $T/transaction.sh recover $ID" >"$RECOVERY" &&
    chmod 0644 "$RECOVERY" && ln -sfn "$RECOVERY" "$wants/${RECOVERY##*/}" && sync "$RECOVERY" "$wants" "${RECOVERY%/*}"
}

is_armed() {
  [ "$(print_armed_transaction)" = "$ID" ]
}

print_armed_transaction() {
  sed -n 's/^ExecStart=.* recover //p' "$RECOVERY" 2>/dev/null
}

disarm() {
  wants=/etc/systemd/system/sysinit.target.wants
  is_armed || return 0
  rm -f "$wants/${RECOVERY##*/}" "$RECOVERY"
  rmdir "$wants" 2>/dev/null
  sync "${RECOVERY%/*}"
  ! is_armed
}

swap_all() {
  number=1
  while read_change "$number"; do
    check_fingerprint || return 1
    journal "swapping-$number" || { fail state-not-writable "$T/journal cannot be written"; return 1; }
    set_file "$path" "$after" "$T/after.$number" 2>"$T/trouble" ||
      { fail file-not-writable "$path: $(cat "$T/trouble")"; return 1; }
    journal "swapped-$number"
    number=$((number + 1))
  done
  reload_units && refresh_trust_store || return 1
  describe_evaluation >"$T/evaluation"
}

activate() {
  prove_names || return 1
  if [ "$action" = none ]; then
    is_in_effect
    return
  fi
  judge_swapped && keep_workloads || return 1
  journal activating
  deadline=$(($(now) + $(limit_patience)))
  if [ "$action" = restart ]; then
    restart_unit "$deadline" || return 1
  else
    reload
    # A reload takes effect at once or, if the runtime rejects a file, never.
    [ "$deadline" -le $(($(now) + 5)) ] || deadline=$(($(now) + 5))
  fi
  journal health
  until_deadline "$deadline" is_as_planned || return 1
  [ "$action" != restart ] || start_dependents || return 1
  await_workloads && await_health
}

# They start together with the runtime; one that is missing after that does not come back.
await_workloads() {
  until_deadline $(($(now) + 20)) are_workloads_back
}

# A kubelet that systemd stopped together with the runtime needs some seconds.
await_health() {
  until_deadline $(($(now) + 20)) is_node_healthy
}

# From "committing" on an armed recovery does nothing. "committed" follows when it is disarmed, so that no later failure
# can contradict it; with a code, the change is in effect but something about it must be reported.
commit() {
  ensure_state
  save_outcome
  swap_in "$T/record" "$STATE/record/$runtime.json" 600 0 0 2>"$T/trouble" ||
    { fail state-not-writable "the record: $(cat "$T/trouble")"; return 1; }
  compare_files && CODE='' DETAIL=''
  journal committing "$CODE" "$DETAIL" || { fail state-not-writable "$T/journal cannot be written"; return 1; }
  end_commit "$CODE" "$DETAIL"
}

# end_commit CODE DETAIL
end_commit() {
  CODE=$1 DETAIL=$2
  # A later removal needs it, even if the power goes when this is committed.
  [ ! -f "$T/created-directories" ] ||
    { cat "$T/created-directories" >>"$STATE/created-directories" && sync "$STATE/created-directories"; }
  remove_aids
  disarm 2>"$T/trouble" || [ -n "$CODE" ] ||
    fail recovery-armed "the change is in effect, but $RECOVERY could not be removed: $(tail -n 1 "$T/trouble")"
  rm -f "$STATE/unrestored"
  journal committed "$CODE" "$DETAIL"
}

# The unit as systemd loaded it, and the hash of every file that it and the runtime read.
describe_evaluation() {
  loaded=$(systemctl show "$unit" -p FragmentPath,DropInPaths,EnvironmentFiles,NeedDaemonReload 2>/dev/null)
  printf '%s\n' "$loaded"
  for directory in /etc /run /usr/local/lib /usr/lib; do
    for drop_in in "$directory/systemd/system/$unit.d"/*.conf; do
      [ ! -e "$drop_in" ] || printf '%s\n' "$drop_in"
    done
  done
  # shellcheck disable=SC2046 # paths that systemd separates by blanks; EnvironmentFile= takes globs
  sha256sum -- $(printf '%s\n' "$loaded" | sed 's/ (ignore_errors=[a-z]*)//g; s/^[A-Za-z]*=//' | grep '^/') \
    "$config_file" 2>/dev/null
  return 0
}

# Whether nothing else has changed the files since they were swapped; sets CODE and DETAIL.
compare_files() {
  number=1
  while read_change "$number"; do
    [ "$(fingerprint "$path")" = "$after" ] ||
      { fail file-changed-meanwhile "$path was changed while the transaction ran"; return 1; }
    number=$((number + 1))
  done
  [ -f "$T/evaluation" ] || return 0
  describe_evaluation >"$T/evaluation.now"
  differing=$(
    grep -vxFf "$T/evaluation" "$T/evaluation.now"
    grep -vxFf "$T/evaluation.now" "$T/evaluation"
  )
  [ -z "$differing" ] ||
    fail file-changed-meanwhile "files of $unit were changed while the transaction ran: $(printf '%s\n' "$differing" |
      sed 's/^[0-9a-f]*  //' | grep -v -e '^DropInPaths=' -e '^NeedDaemonReload=' | sort -u)"
}

save_outcome() {
  printf '%s\n' "${lost:-}" >"$T/lost"
}

# A key or a login that is in place needs no second copy on the disk; a restoration uses what was there before.
remove_secrets() {
  number=1
  while read_change "$number"; do
    case $after in 'regular 600 '*) rm -f "$T/after.$number" ;; esac
    number=$((number + 1))
  done
}

# The rest can wait until the outcome is in the journal.
close() {
  remove_aids
  remove_secrets
  disarm
  read_journal
  if [ "$step" = committed ]; then
    remove_emptied_directories
  else
    keep_change_times
  fi
  prune
  read_journal
  if [ "$step_code" = - ]; then step_code=''; fi
  line="transaction $ID $step${step_code:+ ($step_code)}: $action of $unit, $(count_changes) files"
  logger -t harbor-agent "$line" 2>/dev/null || echo "$line" | systemd-cat -t harbor-agent 2>/dev/null
  if changes_units; then systemctl daemon-reload; fi
}

# Removes directories that this tool created when the last file in them was removed.
remove_emptied_directories() {
  grep -q '^change .* absent - - - - /' "$T/plan" || return 0
  # An empty directory of a registry keeps containerd from looking into _default.
  sed -n 's,^change .* absent - - - - \(/.*\)/hosts\.toml$,\1,p' "$T/plan" | while read -r directory; do
    rmdir -- "$directory" 2>/dev/null
  done
  [ -f "$STATE/created-directories" ] || return 0
  remove_directories "$STATE/created-directories"
  while read -r directory; do
    [ ! -d "$directory" ] || printf '%s\n' "$directory"
  done <"$STATE/created-directories" | sort -u >"$T/kept-directories"
  mv -f "$T/kept-directories" "$STATE/created-directories"
}

# Keeps the last five with a backup, the last five refusals, and any that is not finished.
prune() {
  # This one counts first, even if the clock was set back and it does not seem the newest.
  if has_step prepared; then with_backup=1 without=0; else with_backup=0 without=1; fi
  # shellcheck disable=SC2012 # the names are ours
  ls -1dt "$STATE"/transactions/*/ 2>/dev/null | while read -r old; do
    [ "$old" != "$T/" ] || continue
    if has_step prepared "$old"; then
      with_backup=$((with_backup + 1))
      if [ "$with_backup" -gt 5 ] && is_over "$old"; then rm -rf "$old"; fi
    else
      without=$((without + 1))
      if [ "$without" -gt 5 ]; then rm -rf "$old"; fi
    fi
  done
}

# Final, or it ended before it changed anything: the caller has the lock, so it is not under way.
is_over() {
  is_final "$1" || ! has_step 'swapping-[0-9]*' "$1"
}

main() {
  umask 077
  LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/bin
  export LC_ALL PATH
  exec </dev/null
  newline='
'
  STATE=/var/lib/harbor-agent
  LOCK=harbor-agent-transaction.service
  RECOVERY=/etc/systemd/system/harbor-agent-recovery.service
  ID=$2
  T=$STATE/transactions/$ID
  COPY=/run/harbor-agent-transaction
  case $ID in '' | .* | *[!A-Za-z0-9._-]*) return 64 ;; esac
  if [ -f "$T/plan" ]; then load; fi
  case $1 in
    begin | rollback | resolve) "$1" ;;
    status) report ;;
    run | finish | undo | recover | settle) "$1" >>"$T/log" 2>&1 ;;
    *) return 64 ;;
  esac
}

main "$@"
