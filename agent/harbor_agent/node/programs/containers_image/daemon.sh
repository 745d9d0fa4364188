# shellcheck shell=sh disable=SC2034,SC2154
# What a change for CRI-O and one for podman have in common: it stops no container, and a pull shows by which scheme a registry is
# asked. crio/daemon.sh or podman/daemon.sh follows, with try_pull and with its own versions of functions that differ. Functions
# only; part of the program that transaction.sh ends.

limit_patience() {
  echo "$patience"
}

before_change() {
  :
}

# Neither has a command that checks files before they are in place.
judge() {
  :
}

judge_swapped() {
  :
}

reload() {
  :
}

revoke() {
  :
}

is_revoked() {
  :
}

note_workloads() {
  :
}

keep_workloads() {
  :
}

are_workloads_back() {
  lost=''
}

is_node_healthy() {
  :
}

name_hindrance() {
  return 1
}

adapt_arguments() {
  cat
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

# are_registries_as_planned NAME: whether NAME asks each registry of the plan by the scheme that it is to have.
are_registries_as_planned() {
  while read -r keyword entry; do
    case $keyword in expected | unexpected) ;; *) continue ;; esac
    case $keyword:$(print_scheme "$entry") in
      expected:https) fail registry-not-live "$1 still asks $entry by https: $(try_pull "$entry")" || return 1 ;;
      unexpected:http) fail registry-not-live "$1 still asks $entry by http" || return 1 ;;
    esac
  done <"$T/plan"
}

# print_scheme ENTRY: by which scheme the registry is asked for an image that cannot exist: http, https, any if the registry
# answered, nothing if that is not known. A registry over plain HTTP that is trusted is asked by http last.
print_scheme() {
  case $(try_pull "$1") in
    *"\"https://$1/"* | *"\"https://$1\""*) echo https ;;
    *"\"http://$1/"* | *"\"http://$1\""*) echo http ;;
    *'not found'* | *'manifest unknown'* | *unauthorized* | *'authentication required'* | *denied*) echo any ;;
    *'401 Unauthorized'* | *'403 Forbidden'*) echo any ;;
  esac
}
