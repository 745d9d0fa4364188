# shellcheck shell=sh disable=SC2034,SC2154
# What containerd answers in a transaction, no matter which unit starts it: CRI, and by which scheme it asks each registry.
# The part of the unit has locate_containerd, which sets containerd and its places, note_missing_cri and is_last_try_https.
# Functions only; part of the program that transaction.sh ends.

note_daemon() {
  is_active || { fail "$runtime-not-running" "$unit is not active"; return 1; }
  locate_containerd
  is_cri_loaded
  case $? in
    0) find_cri_version ;;
    1) note_missing_cri || fail cri-not-loaded "containerd runs without its CRI plugin${said:+: $said}" || return 1 ;;
    *) fail containerd-silent "containerd does not answer" || return 1 ;;
  esac
  while read -r keyword entry; do
    case $keyword in expected | unexpected) printf '%s %s\n' "$entry" "$(print_scheme "$entry")" ;; esac
  done <"$T/plan" >"$T/live.before"
}

# print_scheme ENTRY: by which scheme containerd asks the registry for an image that cannot exist: http, https, any if the
# registry answered, starting if containerd did not, nothing if that is not known. On 1.x the answer is that of the last
# host tried.
print_scheme() {
  answer=$(pull_through_cri "$1/harbor-agent/none:none" 3)
  case $answer in
    'curl: ('* | *'code = Unavailable '* | 'rpc error: code = 14 '*) echo starting ;;
    *"\"https://$1/"* | *"\"https://$1\""*) is_last_try_https "$1" || echo https ;;
    *"\"http://$1/"* | *"\"http://$1\""*) echo http ;;
    *'not found'* | *'manifest unknown'* | *'401 Unauthorized'* | *'403 Forbidden'* | *unauthorized* | *'no basic auth credentials'* | \
      *'authentication required'* | *'authorization failed'* | *insufficient_scope*) echo any ;;
    *'not initialized'* | *'unknown service'*) echo starting ;;
  esac
}

# containerd reads its configuration only at its start, and hosts.toml at each pull.
reload() {
  :
}

is_asked_as_planned() {
  while read -r keyword entry; do
    case $keyword in expected | unexpected) ;; *) continue ;; esac
    scheme=$(print_scheme "$entry")
    case $keyword:$scheme in
      *:starting) fail containerd-silent "CRI is not ready yet" || return 1 ;;
      expected:https) fail registry-not-live "containerd still asks $entry by https: $(print_answer)" || return 2 ;;
      unexpected:http) fail registry-not-live "containerd still asks $entry by http" || return 2 ;;
    esac
  done <"$T/plan"
}

print_answer() {
  pull_through_cri "$entry/harbor-agent/none:none" 3 | sed 's/.*failed to do request: //; s,://[^/@ ]*@,://***@,g' | cut -c1-300
}

# Whether it runs with CRI: 1 not yet, 2 never; sets CODE and DETAIL.
is_ready() {
  locate_containerd
  is_cri_loaded 2
  case $? in
    # The restart may have started another version of containerd.
    0) find_cri_version && return 0 ;;
    1) fail cri-not-loaded "containerd runs without its CRI plugin${said:+: $said}" || return 2 ;;
  esac
  fail containerd-silent "containerd does not answer"
  has_started || { verdict=$?; fail "$runtime-start-failed" "$(print_last_error)" || return "$verdict"; }
  return 1
}

# The change of files that containerd reads at each pull, without an action: whether it is in effect.
is_in_effect() {
  is_active || return 0
  until_deadline $(($(now) + 20)) is_as_planned
}

# Whether the plan's entries are asked as they were before the change. Without an answer nothing contradicts it. If CRI
# was not loaded, an answer of containerd is all that there was.
is_as_before() {
  is_active || return 1
  if [ -e "$T/cri-missing" ]; then
    locate_containerd
    is_cri_loaded 2
    [ "$?" != 2 ]
    return
  fi
  is_ready || return 1
  while read -r entry known; do
    scheme=$(print_scheme "$entry")
    case $known:$scheme in
      *:starting | http:https | https:http | any:https | https:any) return 1 ;;
    esac
  done <"$T/live.before"
}

name_hindrance() {
  return 1
}

# containerd takes nothing by a reload, so there is nothing to revoke.
revoke() {
  :
}

is_revoked() {
  is_as_before
}

must_disable_live_restore() {
  return 1
}
