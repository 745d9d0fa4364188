# shellcheck shell=sh disable=SC2034,SC2154
# The CRI-O of a transaction. Functions only; part of the program that transaction.sh ends.

# Units that boot with the files as they are then: recovery must have ended before.
list_boot_units() {
  echo crio.service kubelet.service containerd.service docker.service
}

limit_patience() {
  echo "$patience"
}

# Fails if CRI-O cannot be changed now, and notes by which scheme it asks each registry.
before_change() {
  is_active || { fail cri-o-not-running "$unit is not active"; return 1; }
  locate_crio
  while read -r keyword entry; do
    case $keyword in expected | unexpected) printf '%s %s\n' "$entry" "$(print_scheme "$entry")" ;; esac
  done <"$T/plan" >"$T/live.before"
}

locate_crio() {
  read_unit
  read_fact MainPID
  find_crio_socket "${value:-0}"
  find_cri_version
}

# CRI-O has no command that checks its files: its answer to the reload is the check.
judge() {
  :
}

judge_swapped() {
  reloaded_at=$(date +%s)
}

reload() {
  reloaded_at=$(date +%s)
  systemctl reload "$unit" 2>/dev/null || systemctl kill -s HUP --kill-who=main "$unit"
}

# A reload always succeeds: only the log of CRI-O shows whether it read its files.
is_as_planned() {
  is_active || { fail cri-o-not-running "$unit ended"; return 1; }
  words=$(print_words "${reloaded_at:-}" | tail -n 1)
  case $words in
    *'reload failed'*)
      fail cri-o-rejects-configuration "$(printf '%s\n' "$words" | sed 's/^.*msg="//; s/"$//; s,://[^/@ ]*@,://***@,g' | cut -c1-400)"
      return 2
      ;;
    '')
      fail registry-not-live "CRI-O did not say that it read its registries again: $(print_last_error)"
      return 1
      ;;
  esac
  locate_crio
  while read -r keyword entry; do
    case $keyword in expected | unexpected) ;; *) continue ;; esac
    case $keyword:$(print_scheme "$entry") in
      expected:https) fail registry-not-live "CRI-O still asks $entry by https: $(try_pull "$entry")" || return 2 ;;
      unexpected:http) fail registry-not-live "CRI-O still asks $entry by http" || return 2 ;;
    esac
  done <"$T/plan"
}

# Where CRI-O watches its files (auto_reload_registries), it reads them within seconds.
is_in_effect() {
  is_active || return 0
  # Certificates are read at each pull, and it says nothing of them.
  grep -q '^change .* /etc/containers/registries\.conf' "$T/plan" || return 0
  until_deadline $(($(now) + 20)) is_as_planned
}

# Whether the plan's entries are asked as they were before the change. Without an answer nothing contradicts it.
is_as_before() {
  is_active || return 1
  locate_crio
  while read -r entry known; do
    case $known:$(print_scheme "$entry") in
      http:https | https:http | any:https | https:any) return 1 ;;
    esac
  done <"$T/live.before"
}

revoke() {
  reload
}

is_revoked() {
  is_as_before
}

# A reload touches no container.
note_workloads() {
  :
}

keep_workloads() {
  :
}

are_workloads_back() {
  lost=''
}

# A reload ends no pod, and CRI-O answers for itself.
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

# print_scheme ENTRY: by which scheme CRI-O asks the registry for an image that cannot exist: http, https, any if the
# registry answered, nothing if that is not known. A registry over plain HTTP that it trusts is asked by http last.
print_scheme() {
  case $(try_pull "$1") in
    *"\"https://$1/"* | *"\"https://$1\""*) echo https ;;
    *"\"http://$1/"* | *"\"http://$1\""*) echo http ;;
    *'not found'* | *'manifest unknown'* | *unauthorized* | *'authentication required'* | *'401 Unauthorized'* | *denied*) echo any ;;
  esac
}

try_pull() {
  pull_through_cri "$1/harbor-agent/none:none" 8 | sed 's,\\",",g; s,://[^/@ ]*@,://***@,g' | tail -n 1 | cut -c1-1200
}
