# shellcheck shell=sh disable=SC2034,SC2154
# The CRI-O of a transaction. Functions only; part of the program that transaction.sh ends.

# Units that boot with the files as they are then: recovery must have ended before.
list_boot_units() {
  echo crio.service kubelet.service containerd.service docker.service
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
  # They may still be about an edit before this one: CRI-O lists what it has read.
  while read -r keyword entry; do
    case $keyword:$words in
      unexpected:*"Location:$entry Insecure:true"*) fail registry-not-live "CRI-O still has $entry as insecure" || return 1 ;;
    esac
  done <"$T/plan"
  locate_crio
  are_registries_as_planned CRI-O || return 2
}

# If CRI-O watches the folder of drop-ins (auto_reload_registries), it reads them within seconds.
is_in_effect() {
  is_active || return 0
  # Certificates are read at each pull, and it says nothing of them.
  grep -q '^change .* /etc/containers/registries\.conf' "$T/plan" || return 0
  until_deadline $(($(now) + 20)) is_as_planned_by_now
}

# What CRI-O does not ask as planned yet, it may ask so once it has seen the edit.
is_as_planned_by_now() {
  is_as_planned
  verdict=$?
  case $verdict:$CODE in 2:registry-not-live) return 1 ;; esac
  return "$verdict"
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

try_pull() {
  pull_through_cri "$1/harbor-agent/none:none" 8 | sed 's,\\",",g; s,://[^/@ ]*@,://***@,g' | tail -n 1 | cut -c1-1200
}
