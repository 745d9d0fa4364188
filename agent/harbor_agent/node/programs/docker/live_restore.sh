# shellcheck shell=sh disable=SC2034,SC2154
# Containers that outlive a restart of the daemon: live-restore is switched on by a reload before it, and on the way
# back off again, but only behind the last restart. Functions only; part of the program that transaction.sh ends.

# Where the plan says so. A daemon that has it on by now is left as it is.
switch_live_restore_on() {
  [ "$live_restore" = planned ] || return 0
  ! is_live_restore_on || return 0
  journal keeping
  reload_daemon
  until_deadline $(($(now) + 5)) is_live_restore_on && return 0
  fail live-restore-not-live "dockerd was reloaded and did not switch live-restore on$(last_reload_error)"
}

# A client without a daemon may print "false" too, but no version before it.
live_restore_now() {
  timeout 5 docker info --format '{{.ServerVersion}} {{.LiveRestoreEnabled}}' 2>/dev/null
}

is_live_restore_on() {
  case $(live_restore_now) in [0-9]*' true') return 0 ;; esac
  return 1
}

is_live_restore_off() {
  case $(live_restore_now) in [0-9]*' false') return 0 ;; esac
  return 1
}

# What the daemon said of a file that it did not take; passwords in addresses are masked.
last_reload_error() {
  look_at_unit
  fact InvocationID
  journalctl "_SYSTEMD_INVOCATION_ID=$value" -n 20 -o cat --no-pager 2>/dev/null |
    sed -n -e 's,://[^/@ ]*@,://***@,g' -e 's/^.*Error reconfiguring the daemon/: error reconfiguring the daemon/p' \
      -e 's/^.*unable to configure the Docker daemon/: unable to configure the Docker daemon/p' | tail -n 1 | cut -c1-300
}

# Whether it must be off again: this transaction switched it on, and the daemon's file, restored, does not ask for it.
must_switch_off() {
  has_step keeping && ! tr -d '[:space:]' <"$config_file" 2>/dev/null | grep -q '"live-restore":true'
}

# A daemon that starts without live-restore stops what the last one left running. So it starts with it once more.
restart_keeping_containers() {
  must_switch_off || return 1
  conceal && show '"live-restore":true' true && restart_daemon $(($(now) + 30))
  restarted=$?
  if [ "$restarted" = 0 ]; then
    show '"live-restore":false' false && reload_daemon
    until_deadline $(($(now) + 3)) is_live_restore_off
  fi
  reveal
  return "$restarted"
}
