# shellcheck shell=sh disable=SC2034,SC2154
# The Docker daemon of a transaction: what it is asked, told and expected to say. Functions only; part of the
# program that transaction.sh ends.

now() {
  read -r seconds _ </proc/uptime
  printf '%s' "${seconds%.*}"
}

# Polls FUNCTION until it succeeds (0), it gives up (2), or the deadline, in seconds of uptime, passes.
until_deadline() {
  while :; do
    "$2"
    verdict=$?
    [ "$verdict" = 1 ] || return "$verdict"
    read -r seconds _ </proc/uptime
    [ "${seconds%.*}" -lt "$1" ] || return 1
    sleep 0.05 2>/dev/null || sleep 1
  done
}

# Asks systemd once; fact NAME sets value from the answer.
look_at_unit() {
  facts=$newline$(systemctl show "$unit" -p ActiveState,SubState,Job,MainPID,CanReload,InvocationID 2>/dev/null)$newline
}

fact() {
  value=${facts#*"$newline$1="}
  if [ "$value" = "$facts" ]; then value=''; else value=${value%%"$newline"*}; fi
}

is_active() {
  look_at_unit
  fact ActiveState
  [ "$value" = active ]
}

# The live list, a line each, and version; fails where the daemon does not answer. Judged by what is in it: docker.socket
# listens on while dockerd is down, and newer clients then print an empty answer with status 0.
live_list() {
  # shellcheck disable=SC2016 # a Go template
  answer=$(timeout 5 docker info --format 'server {{.ServerVersion}}{{println}}{{with .RegistryConfig}}{{range .InsecureRegistryCIDRs}}cidr {{json .}}{{println}}{{end}}{{range $name, $index := .IndexConfigs}}{{if not $index.Secure}}entry {{$name}}{{println}}{{end}}{{end}}{{range .Mirrors}}mirror {{.}}{{println}}{{end}}{{end}}' 2>/dev/null) || return 1
  case $answer in "server "[0-9]*) version=${answer#* } ;; *) return 1 ;; esac
  printf '%s\n' "$answer" | sed -n '2,$p' | tr -d '"' | grep . | sort -u
}

is_listed() {
  case "
$2
" in *"
entry $1
"* | *"
cidr $1
"*) return 0 ;; esac
  return 1
}

# The containers that FILTERS of `docker ps` let through.
list_identities() {
  timeout 10 docker ps -q --no-trunc "$@" 2>/dev/null
}

# The same as "ID POLICY KUBERNETES NAME STARTED RESTARTS"; fails where the daemon does not tell. One that ends meanwhile
# makes `docker inspect` fail, and the others are told all the same.
list_containers() {
  identities=$(list_identities "$@") || return 1
  [ -n "$identities" ] || return 0
  # shellcheck disable=SC2086 # one word each
  described=$(timeout 20 docker inspect --format '{{.Id}} {{or .HostConfig.RestartPolicy.Name "no"}} {{if index .Config.Labels "io.kubernetes.pod.uid"}}yes{{else}}no{{end}} {{.Name}} {{.State.StartedAt}} {{.RestartCount}}' $identities 2>/dev/null)
  [ -n "$described" ] && printf '%s\n' "$described"
}

# dockerd's own judgement of the planned arguments and file, without a start.
validate_planned() {
  remove_stages
  stage=$(mktemp -d /run/harbor-agent.XXXXXX) || { fail state-not-writable /run; return 1; }
  planned_configuration >"$stage/daemon.json"
  chmod 0400 "$stage/daemon.json"
  # Before 23.0 there is no --validate, but as nobody dockerd complains about all else before its missing rights.
  if [ "${version%%.*}" -lt 23 ]; then chmod 0711 "$stage" && chown 65534 "$stage/daemon.json"; fi
  answer=$(planned_arguments | run_validation 2>&1)
  status=$?
  rm -rf "$stage"
  case $status:$answer in
    0:* | *'root privileges'* | *'be run as root'* | *'needs to be started with root'*) return 0 ;;
    124:* | 137:* | 143:*) fail dockerd-rejects-configuration "dockerd did not finish judging the configuration" ;;
    *)
      fail dockerd-rejects-configuration "$(printf '%s\n' "$answer" | grep . | grep -v '^See ' | tail -n 1 |
        sed "s,$stage/daemon.json,$config_file,g; s,://[^/@ ]*@,://***@,g; s/^Status: //; s/, See .*//")"
      ;;
  esac
}

# What a killed one left: a copy of the file may hold a proxy's password. The lock keeps out any other.
remove_stages() {
  rm -rf /run/harbor-agent.??????
}

# The configuration file as it would be; an absent one is the empty object.
planned_configuration() {
  number=1
  while read_change "$number"; do
    if [ "$path" = "$config_file" ]; then
      case $after in absent*) printf '{}\n' ;; *) cat "$T/after.$number" ;; esac
      return 0
    fi
    number=$((number + 1))
  done
  if [ -f "$config_file" ]; then cat "$config_file"; else printf '{}\n'; fi
}

# One argument a line: the planned ones, else those of the running process.
planned_arguments() {
  planned=$(plan_value arguments)
  if [ -n "$planned" ]; then
    printf %s "$planned" | base64 -d | tr '\0' '\n'
  else
    fact MainPID
    tr '\0' '\n' <"/proc/$value/cmdline"
  fi
}

run_validation() {
  read -r program || return 0
  # Nothing else is started to judge anything: a script might well start a second daemon.
  case ${program##*/} in
    dockerd | docker | dockerd-ce | docker-ce | dockerd-current | docker-current | dockerd-latest | docker-latest) ;;
    *) echo "$program is not dockerd itself"; return 1 ;;
  esac
  set --
  while read -r argument; do
    case $argument in
      --config-file) read -r argument ;;
      --config-file=*) ;;
      *) set -- "$@" "$argument" ;;
    esac
  done
  set -- "$program" "$@" --config-file "$stage/daemon.json"
  if [ "${version%%.*}" -ge 23 ]; then
    timeout 15 "$@" --validate
  elif command -v setpriv >/dev/null 2>&1; then
    timeout 15 setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs env -i PATH="$PATH" "$@"
  fi
}

# Restarts and waits; 1 with CODE and DETAIL where it does not come up before $1.
restart_daemon() {
  systemctl reset-failed "$unit" "${unit%.service}.socket" 2>/dev/null
  restarted_at=$(date +%s)
  left=$(($1 - $(now)))
  # Waiting costs nothing here, and asking again and again takes from what dockerd needs to start.
  said=$(timeout "$((left > 0 ? left : 1))" systemctl restart "$unit" 2>&1)
  case $?:$said in
    0:* | 124:* | 143:* | *:'Job for '*) ;;
    *)
      fail docker-start-failed "$said"
      return 1
      ;;
  esac
  until_deadline "$1" has_started
  case $? in
    0) return 0 ;;
    2) fail docker-start-failed "$(last_error)" ;;
    *) fail docker-start-timeout "$unit was not active in time" ;;
  esac
}

has_started() {
  look_at_unit
  case $facts in
    *SubState=auto-restart*) return 2 ;;
    *Job=[1-9]*) return 1 ;;
    *ActiveState=active*) return 0 ;;
    *ActiveState=failed* | *ActiveState=inactive*) return 2 ;;
  esac
  return 1
}

# What dockerd said last of its failure; passwords in addresses are masked.
last_error() {
  timeout 5 journalctl --sync >/dev/null 2>&1
  look_at_unit
  fact InvocationID
  said=$(journalctl "_SYSTEMD_INVOCATION_ID=$value" -n 40 -o cat --no-pager 2>/dev/null | last_complaint)
  [ -n "$said" ] || said=$(said_since_restart | last_complaint)
  # Where it said nothing, systemd knows which process ended and how, also if it has started another one since.
  if [ -z "$said" ]; then
    words=$(journalctl -b "UNIT=$unit" -n 20 -o cat --no-pager 2>/dev/null | grep -E 'process exited|Failed to|timed out')
    said=$(printf '%s\n' "$words" | grep -v 'Failed to' | tail -n 1)
    said=${said:-$(printf '%s\n' "$words" | tail -n 1)}
  fi
  printf '%s' "${said:-$unit did not start}" | sed 's,://[^/@ ]*@,://***@,g; s/^Status: //' | cut -c1-400
}

last_complaint() {
  grep -iE 'failed to|unable to|fatal|error|cannot|invalid|unknown' | tail -n 1
}

# What the unit said since systemd began to start it anew, without systemd's own words. By the time anybody asks systemd
# may have begun another attempt, and of a process that ended at once journald does not always know the attempt.
said_since_restart() {
  [ -n "${restarted_at:-}" ] || return 0
  journalctl "_SYSTEMD_UNIT=$unit" + "UNIT=$unit" --since "@$restarted_at" -o cat --no-pager 2>/dev/null |
    sed -n '/^Starting /,$p' | grep -v -e "^$unit: " -e '^Starting ' -e '^Failed to start '
}

# SIGHUP; the status says nothing about whether the file was taken, the live list does.
reload_daemon() {
  look_at_unit
  fact CanReload
  if [ "$value" = yes ]; then
    systemctl reload "$unit" 2>/dev/null
  else
    fact MainPID
    kill -HUP "$value" 2>/dev/null
  fi
}

# Expected entries live, unexpected ones not; sets live and CODE, DETAIL. After a restart the first answer is final.
is_live_as_planned() {
  again=1
  if [ "$action" = restart ]; then again=2; fi
  if ! live=$(live_list); then
    fail docker-silent "dockerd does not answer"
    has_started || { verdict=$?; fail docker-start-failed "$(last_error)" || return "$verdict"; }
    return 1
  fi
  while read -r keyword entry; do
    case $keyword in
      expected) is_listed "$entry" "$live" || { fail registry-not-live "$entry is not in the daemon's live list"; return "$again"; } ;;
      unexpected) ! is_listed "$entry" "$live" || { fail registry-not-live "$entry is still in the daemon's live list"; return "$again"; } ;;
    esac
  done <"$T/plan"
}

# The entries of the plan stand in the live list as they did before it.
is_live_as_before() {
  is_active && live=$(live_list) || return 1
  known=$(cat "$T/live.before")
  while read -r keyword entry; do
    case $keyword in expected | unexpected) ;; *) continue ;; esac
    if is_listed "$entry" "$known"; then
      is_listed "$entry" "$live" || return 1
    elif is_listed "$entry" "$live"; then
      return 1
    fi
  done <"$T/plan"
}

# Containers that must come back by themselves run; sets lost (names). kubelet makes its own anew. live-restore is the
# daemon's, for all of them or none: where one runs on, another that is gone has ended by itself. 2 says that one was
# stopped in spite of it.
are_containers_back() {
  [ -s "$T/containers.before" ] || return 0
  # What else is to be told of each is asked for only where it is compared.
  if [ -n "$live_restore" ]; then look=list_containers; else look=list_identities; fi
  running=$newline$("$look" --filter status=running --filter status=restarting)$newline ||
    { fail docker-silent "dockerd does not list its containers"; return 1; }
  lost='' awaited='' bounced='' kept=0
  while read -r identity policy kubernetes name started restarts; do
    name=${name#/}
    case $running in
      *"$newline$identity"*)
        if [ -z "$live_restore" ]; then continue; fi
        if runs_on; then kept=$((kept + 1)); else bounced="$bounced${bounced:+ }$name"; fi
        continue
        ;;
    esac
    [ "$kubernetes" = no ] || continue
    case $name in k8s_*) continue ;; esac
    lost="$lost${lost:+ }$name"
    case $policy in always | unless-stopped) awaited="$awaited${awaited:+ }$name" ;; esac
  done <"$T/containers.before"
  [ -z "$live_restore" ] || [ "$kept" -gt 0 ] || awaited=$lost
  [ -z "$bounced" ] || { fail containers-not-running "stopped and started anew, in spite of live-restore: $bounced" || return 2; }
  [ -z "$awaited" ] || { fail containers-not-running "not running again: $awaited"; return 1; }
}

# Whether it is the same run of the container; one that ended by itself was started again by Docker, which counts that.
runs_on() {
  found=${running#*"$newline$identity "}
  found=${found%%"$newline"*}
  counted=${found##* }
  found=${found% *}
  [ "${found##* }" = "$started" ] || [ "$counted" -gt "$restarts" ]
}

# dockerd starts them while it starts itself; what is not there soon will not come.
await_containers() {
  until_deadline $(($(now) + 20)) are_containers_back
}
