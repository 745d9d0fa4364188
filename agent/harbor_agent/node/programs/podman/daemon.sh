# shellcheck shell=sh disable=SC2034,SC2154
# The podman of a transaction: it has no daemon, so nothing is reloaded, restarted or stopped. Functions only; part of the
# program that transaction.sh ends.

list_boot_units() {
  echo podman.service podman.socket podman-restart.service podman-auto-update.service
}

# Whether podman takes the files, and asks each registry as planned.
is_in_effect() {
  said=$(print_registries 2>&1 >/dev/null) || {
    fail podman-rejects-configuration "$(printf '%s\n' "$said" | grep . | tail -n 1 | sed 's,://[^/@ ]*@,://***@,g')"
    return 1
  }
  are_registries_as_planned podman
}

is_as_planned() {
  is_in_effect
}

# Each command reads the restored files.
is_as_before() {
  :
}

# Its last words: it tries again after some failures, and says so first.
try_pull() {
  run_podman 8 pull -q "$1/harbor-agent/none:none" 2>&1 | sed 's,\\",",g; s,://[^/@ ]*@,://***@,g' | tail -n 1 | cut -c1-1200
}
