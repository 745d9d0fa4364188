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
  while read -r keyword entry; do
    case $keyword in expected | unexpected) ;; *) continue ;; esac
    case $keyword:$(print_scheme "$entry") in
      expected:https) fail registry-not-live "podman still asks $entry by https: $(try_pull "$entry")" || return 1 ;;
      unexpected:http) fail registry-not-live "podman still asks $entry by http" || return 1 ;;
    esac
  done <"$T/plan"
}

before_change() {
  :
}

judge() {
  :
}

judge_swapped() {
  :
}

limit_patience() {
  echo "$patience"
}

note_workloads() {
  :
}

keep_workloads() {
  :
}

reload() {
  :
}

is_as_planned() {
  is_in_effect
}

# Each command reads the restored files.
is_as_before() {
  :
}

# Nothing runs that could be unhealthy.
is_node_healthy() {
  :
}

name_hindrance() {
  return 1
}

adapt_arguments() {
  cat
}

are_workloads_back() {
  :
}

revoke() {
  :
}

is_revoked() {
  :
}

must_disable_live_restore() {
  return 1
}

restart_keeping_workloads() {
  return 1
}

remove_stages() {
  :
}

# print_scheme ENTRY: by which scheme podman asks the registry for an image that cannot exist: http, https, any if the
# registry answered, nothing if that is not known. A registry over plain HTTP that it trusts is asked by http last.
print_scheme() {
  case $(try_pull "$1") in
    *"\"https://$1/"* | *"\"https://$1\""*) echo https ;;
    *"\"http://$1/"* | *"\"http://$1\""*) echo http ;;
    *'not found'* | *'manifest unknown'* | *unauthorized* | *'401 Unauthorized'* | *'403 Forbidden'* | *denied*) echo any ;;
  esac
}

# Its last words: it tries again after some failures, and says so first.
try_pull() {
  run_podman 8 pull -q "$1/harbor-agent/none:none" 2>&1 | sed 's,\\",",g; s,://[^/@ ]*@,://***@,g' | tail -n 1 | cut -c1-1200
}
