# shellcheck shell=sh disable=SC2034,SC2154
# The containerd of a transaction. Functions only; part of the program that transaction.sh ends.

# Units that boot with the files as they are then: recovery must have ended before.
list_boot_units() {
  echo containerd.service crio.service k3s.service k3s-agent.service kubelet.service docker.service
}

# A way back within 25 s of the restart is not seen by the cluster: a node whose runtime has no CRI becomes NotReady after
# 27 s. So containerd, which needs at most some seconds, gets no more than 20.
limit_patience() {
  if [ "$patience" -lt 20 ]; then echo "$patience"; else echo 20; fi
}

# Fails if containerd cannot be changed now, and notes by which scheme it asks each registry, and what is healthy.
before_change() {
  is_active || { fail containerd-not-running "$unit is not active"; return 1; }
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
  rest_before=$(dump_configuration "$containerd_config" 2>/dev/null | strip_registries)
  note_health
}

# Without CRI a change has nothing to be proven by, unless the present files exclude each other, which the change repairs.
note_missing_cri() {
  dumped=$(dump_configuration "$containerd_config" 2>/dev/null) && excludes_itself && : >"$T/cri-missing"
}

# Sets containerd, containerd_socket and containerd_config; a process that has ended is known from before the change.
locate_containerd() {
  [ -z "${containerd:-}" ] || return 0
  read_unit
  read_fact MainPID
  if [ "${value:-0}" != 0 ]; then
    find_containerd_places "$value"
    find_containerd_program "$value"
    printf '%s\n%s\n' "$containerd_socket" "$containerd" >"$T/places"
  elif [ -s "$T/places" ]; then
    { read -r containerd_socket && read -r containerd; } <"$T/places"
    PATH=$PATH:${containerd%/*}
  else
    containerd_socket=/run/containerd/containerd.sock
    containerd=$(command -v containerd)
  fi
  containerd_config=$config_file cri_socket=$containerd_socket
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

# Whether the planned hosts.toml has an https server after its hosts: then the last try shows nothing about them.
is_last_try_https() {
  number=1
  while read_change "$number"; do
    case $path in
      */"$1"/hosts.toml | */_default/hosts.toml | */"${1%:*}_${1##*:}_"/hosts.toml)
        ! grep -qs '^[[:space:]]*server[[:space:]]*=[[:space:]]*["'\'']https:' "$path" || return 0
        ;;
    esac
    number=$((number + 1))
  done
  return 1
}

# containerd reads its configuration only at its start, and hosts.toml at each pull.
reload() {
  :
}

# Whether CRI is loaded and each registry is asked as planned. What a plugin does at the start is final.
is_as_planned() {
  is_ready || return
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
  has_started || { verdict=$?; fail containerd-start-failed "$(print_last_error)" || return "$verdict"; }
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

# Replaces the configuration file in arguments, one per line, by a copy of the earlier one if it was changed.
adapt_arguments() {
  number=1
  while read_change "$number"; do
    if [ "$path" = "$config_file" ]; then
      mkdir -p /run/harbor-agent-stand-in
      case $before in
        absent*) : ;;
        *) cat "$T/before.$number" ;;
      esac >/run/harbor-agent-stand-in/config.toml
      sed -e '/^-\{1,2\}config$/{N;d;}' -e '/^-c$/{N;d;}' -e '/^-\{1,2\}config=/d' -e '/^-c=/d'
      echo --config=/run/harbor-agent-stand-in/config.toml
      return 0
    fi
    number=$((number + 1))
  done
  cat
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

# systemd would wait 90 seconds for a daemon that hangs, and the cluster would see that.
restart_keeping_workloads() {
  case ${cause_code:-} in
    containerd-start-timeout | containerd-silent) systemctl kill --kill-who=main --signal=KILL "$unit" 2>/dev/null ;;
  esac
  return 1
}
