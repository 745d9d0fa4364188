# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# One change of a node, as a transaction that ends by itself in "committed" or "rolled_back".
#   begin ID     root; takes the node's lock (a transient unit of a fixed name), starts `run`, waits, reports
#   run ID       in that unit: preflight, back up, swap, tell the daemon, judge its health, commit or restore
#   finish ID    in that unit, after `run` ended in whatever way
#   recover ID   at boot before Docker, where the node went down in the middle
#   status ID    reports;  rollback ID  takes a committed or broken-off one back;  undo ID  its half in the unit
# Its parts (transaction_wire.py has their order) stand before this text, the plan follows in variables. Everything is a
# function and the call is the last line, so that a truncated copy does nothing. docs/explanation/architecture.md has the reasons.
# (`A && B || fail` is meant as it reads, and variables are shared between the parts, hence the exceptions above.)

load() {
  live_restore=''
  while read -r word value; do
    case $word in
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
  if swap_all && tell_daemon && commit; then
    close
    return 0
  fi
  restore "$CODE" "$DETAIL"
}

preflight() {
  journal preflight
  number=1
  while read_change "$number"; do
    check_fingerprint && check_writable || return 1
    number=$((number + 1))
  done
  : >"$T/live.before" && : >"$T/containers.before" || { fail state-not-writable "$T cannot be written"; return 1; }
  [ "$action" != none ] || return 0
  is_active || { fail docker-not-running "$unit is not active"; return 1; }
  fact MainPID
  if tr '\0' ' ' <"/proc/$value/cmdline" | grep -q -e '--containerd[= ]/run/containerd/' &&
    ! systemctl is-active --quiet containerd.service; then
    fail containerd-not-running "containerd.service is not active"
    return 1
  fi
  live_list >"$T/live.before" || { fail docker-silent "dockerd does not answer"; return 1; }
  # dockerd judges while it lists its containers.
  { validate_planned || printf '%s %s\n' "$CODE" "$DETAIL"; } >"$T/judgement" &
  list_containers --filter status=running >"$T/containers.before" ||
    { wait "$!"; fail docker-silent "dockerd does not list its containers"; return 1; }
  wait "$!"
  [ ! -s "$T/judgement" ] || { read -r CODE DETAIL <"$T/judgement"; return 1; }
}

# Everything a restoration needs is on disk before "prepared" is journalled, and is armed before a file moves.
prepare() {
  number=1
  while read_change "$number"; do
    back_up && keep_pristine || { fail backup-failed "$path could not be backed up"; return 1; }
    number=$((number + 1))
  done
  if [ -f "$STATE/record/docker.json" ]; then
    cp -p "$STATE/record/docker.json" "$T/record.before" && sync "$T/record.before" ||
      { fail backup-failed "the record could not be backed up"; return 1; }
  fi
  sync "$T"/* && sync "$T" && journal prepared || { fail state-not-writable "$T cannot be written"; return 1; }
  arm 2>"$T/trouble" || { fail state-not-writable "recovery at boot could not be armed: $(cat "$T/trouble")"; return 1; }
  journal armed
}

# Before dockerd, containerd and their sockets, so that the node boots with the files it had.
arm() {
  wants=/etc/systemd/system/sysinit.target.wants
  mkdir -p "$wants" && chmod 0755 "$wants" && printf '%s\n' '[Unit]' "Description=harbor-agent: take back transaction $ID" \
    DefaultDependencies=no 'After=local-fs.target systemd-remount-fs.service' "RequiresMountsFor=$STATE" \
    'Before=containerd.service docker.socket docker.service' "Before=$unit" '[Service]' Type=oneshot \
    "ExecStart=/bin/sh $T/transaction.sh recover $ID" >"$RECOVERY" &&
    chmod 0644 "$RECOVERY" && ln -sfn "$RECOVERY" "$wants/${RECOVERY##*/}" && sync "$RECOVERY" "$wants" "${RECOVERY%/*}"
}

is_armed() {
  [ "$(armed_transaction)" = "$ID" ]
}

armed_transaction() {
  sed -n 's/^ExecStart=.* recover //p' "$RECOVERY" 2>/dev/null
}

disarm() {
  wants=/etc/systemd/system/sysinit.target.wants
  is_armed || return 0
  rm -f "$wants/${RECOVERY##*/}" "$RECOVERY"
  rmdir "$wants" 2>/dev/null
  sync "${RECOVERY%/*}"
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
  have_systemd_read
}

tell_daemon() {
  [ "$action" != none ] || return 0
  switch_live_restore_on || return 1
  journal activating
  deadline=$(($(now) + patience))
  if [ "$action" = restart ]; then
    restart_daemon "$deadline" || return 1
  else
    reload_daemon
    # A reload takes effect at once or, with a file that was rejected, never.
    [ "$deadline" -le $(($(now) + 5)) ] || deadline=$(($(now) + 5))
  fi
  journal health
  until_deadline "$deadline" is_live_as_planned || return 1
  await_containers
}

commit() {
  save_outcome
  swap_in "$T/record" "$STATE/record/docker.json" 600 0 0 2>"$T/trouble" ||
    { fail state-not-writable "the record: $(cat "$T/trouble")"; return 1; }
  journal committed
}

save_outcome() {
  printf '%s\n' "${lost:-}" >"$T/lost"
}

# What may be done at leisure once the outcome is journalled.
close() {
  disarm
  read_journal
  if [ "$step" = committed ]; then
    [ ! -f "$T/created-directories" ] || cat "$T/created-directories" >>"$STATE/created-directories"
    remove_emptied_directories
  fi
  prune
  read_journal
  if [ "$step_code" = - ]; then step_code=''; fi
  line="transaction $ID $step${step_code:+ ($step_code)}: $action of $unit, $(count_changes) files"
  logger -t harbor-agent "$line" 2>/dev/null || echo "$line" | systemd-cat -t harbor-agent 2>/dev/null
  if changes_units; then systemctl daemon-reload; fi
}

# A directory that this tool made goes with the last file in it.
remove_emptied_directories() {
  [ -f "$STATE/created-directories" ] || return 0
  grep -q '^change .* absent - - - - /' "$T/plan" || return 0
  remove_directories "$STATE/created-directories"
  while read -r directory; do
    [ ! -d "$directory" ] || printf '%s\n' "$directory"
  done <"$STATE/created-directories" | sort -u >"$T/kept-directories"
  mv -f "$T/kept-directories" "$STATE/created-directories"
}

# The last five that hold a backup stay, the last five refusals, and any that is not finished.
prune() {
  # This one counts first, also where the clock was set back and it does not look like the newest.
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

# Final, or it ended before it changed anything: whoever asks holds the lock, so it is not under way.
is_over() {
  is_final "$1" || ! has_step 'swapping-[0-9]*' "$1"
}

main() {
  umask 077
  LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/bin
  DOCKER_HOST=unix:///var/run/docker.sock
  export LC_ALL PATH DOCKER_HOST
  exec </dev/null
  newline='
'
  STATE=/var/lib/harbor-agent
  LOCK=harbor-agent-transaction.service
  RECOVERY=/etc/systemd/system/harbor-agent-recovery.service
  ID=$2
  T=$STATE/transactions/$ID
  case $ID in '' | .* | *[!A-Za-z0-9._-]*) return 64 ;; esac
  if [ -f "$T/plan" ]; then load; fi
  case $1 in
    begin | rollback) "$1" ;;
    status) report ;;
    run | finish | undo | recover) "$1" >>"$T/log" 2>&1 ;;
    *) return 64 ;;
  esac
}

main "$@"
