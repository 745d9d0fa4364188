# shellcheck shell=sh disable=SC2034,SC2154
# Containers that keep running while the daemon restarts: a reload enables live-restore first; a restoration disables it
# again, but only after the last restart. Functions only; part of the program that transaction.sh ends.

# Enables live-restore if the plan says so and the daemon does not have it enabled by now.
keep_workloads() {
  [ "$live_restore" = planned ] || return 0
  ! is_live_restore_on || return 0
  journal keeping
  reload
  until_deadline $(($(now) + 5)) is_live_restore_on && return 0
  fail live-restore-not-live "dockerd was reloaded and did not enable live-restore$(print_reload_error)"
}

# A client without a daemon may print "false" too, but no version before it.
print_live_restore() {
  run_docker_client 5 docker info --format '{{.ServerVersion}} {{.LiveRestoreEnabled}}'
}

is_live_restore_on() {
  case $(print_live_restore) in [0-9]*' true') return 0 ;; esac
  return 1
}

is_live_restore_off() {
  case $(print_live_restore) in [0-9]*' false') return 0 ;; esac
  return 1
}

# The daemon's message about a file that it did not accept; passwords in addresses are masked.
print_reload_error() {
  read_unit
  read_fact InvocationID
  journalctl "_SYSTEMD_INVOCATION_ID=$value" -n 20 -o cat --no-pager 2>/dev/null |
    sed -n -e 's,://[^/@ ]*@,://***@,g' -e 's/^.*Error reconfiguring the daemon/: error reconfiguring the daemon/p' \
      -e 's/^.*unable to configure the Docker daemon/: unable to configure the Docker daemon/p' | tail -n 1 | cut -c1-300
}

# Whether live-restore must be disabled again: this transaction enabled it, and the restored file does not ask for it.
must_disable_live_restore() {
  has_step keeping && ! tr -d '[:space:]' <"$config_file" 2>/dev/null | grep -q '"live-restore":true'
}

# A daemon that starts without live-restore stops the containers that the last one left running. So it starts with it
# once more.
restart_keeping_workloads() {
  must_disable_live_restore || return 1
  conceal && show '"live-restore":true' true && restart_unit $(($(now) + 30))
  restarted=$?
  if [ "$restarted" = 0 ]; then
    show '"live-restore":false' false && reload
    until_deadline $(($(now) + 3)) is_live_restore_off
  fi
  reveal
  return "$restarted"
}
