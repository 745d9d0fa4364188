# shellcheck shell=sh disable=SC2034,SC2154
# The journal of a transaction and the report made from it. Functions only; part of the program that
# transaction.sh ends (that is where the variables come from, hence the exceptions above).

# Sets what went wrong, and fails.
fail() {
  CODE=$1
  DETAIL=$(printf '%s' "$2" | tr '\n' ' ' | cut -c1-600)
  return 1
}

encode() {
  [ -n "$1" ] || { printf -- - && return 0; }
  printf '%s' "$1" | base64 | tr -d '\n'
}

# journal STEP [CODE DETAIL]: on disk when this returns. The dot at the end tells a whole line from a torn one, and
# the line feed before it parts it from a torn predecessor.
journal() {
  printf '\n%s %s %s %s .\n' "$1" "$(now)" "${2:--}" "$(encode "${3:-}")" >>"$T/journal" && sync "$T/journal"
}

# Sets step, step_code and step_detail of the last whole line of this transaction, or of the one in directory $1.
read_journal() {
  step='' step_code='' step_detail=''
  [ -f "${1:-$T}/journal" ] || return 1
  while read -r word _ code detail dot; do
    [ "$dot" = . ] || continue
    step=$word step_code=$code step_detail=$detail
  done <"${1:-$T}/journal"
}

# has_step STEP [DIRECTORY]
has_step() {
  grep -q "^$1 .* \.\$" "${2:-$T}/journal" 2>/dev/null
}

# The last step of the way forward, whatever came of it.
last_progress() {
  reached=$(sed -n 's/^\([a-z_0-9-]*\) .* \.$/\1/p' "$T/journal" |
    grep -vxE 'committed|rolled_back|rollback_failed|refused|restoring|restarting' | tail -n 1)
  printf '%s' "${reached:-unknown}"
}

is_final() {
  read_journal "$@"
  case $step in committed | rolled_back | rollback_failed | refused) return 0 ;; esac
  return 1
}

plan_value() {
  sed -n "s/^$1 //p" "$T/plan" | sed -n 1p
}

# Whether it ended before it changed anything, and nothing will be changed: the node was booted since, or its unit
# did not start within ten seconds.
is_abandoned() {
  if is_armed || has_step 'swapping-[0-9]*'; then return 1; fi
  [ "$(cat /proc/sys/kernel/random/boot_id)" = "$(cat "$T/boot-id")" ] || return 0
  [ "$(sed -n 's/^begun \([0-9]*\) .*/\1/p' "$T/journal")" -lt $(($(now) - 10)) ]
}

report() {
  if ! read_journal; then
    frame "$ID" none '' transaction-unknown "$(encode "the node knows no transaction $ID")"
    return 0
  fi
  case $step in
    committed | rolled_back | rollback_failed | refused) phase=$step ;;
    *)
      phase=running
      if [ -z "$step" ]; then
        step_code=journal-unreadable
      elif ! is_locked; then
        step_code=transaction-interrupted
        if is_abandoned; then phase=refused; fi
      fi
      ;;
  esac
  frame "$ID" "$phase" "$(last_progress)" "$step_code" "$step_detail"
}

# frame ID PHASE STEP CODE DETAIL(base64)
frame() {
  printf '\nharbor-agent/transaction/1 begin\n'
  printf '%s\n' "transaction $1" "phase $2" "step ${3:--}" "code ${4:--}" "detail ${5:--}"
  [ ! -f "$T/live.after" ] || sed -n 's/^\([a-z]\)/live \1/p' "$T/live.after"
  [ ! -f "$T/lost" ] || tr ' ' '\n' <"$T/lost" | sed -n 's/^\(.\)/lost \1/p'
  printf 'harbor-agent/transaction/1 end\n'
}

# shellcheck shell=sh disable=SC2034,SC2154
# Files of a transaction: fingerprints, atomic replacement, backup and return. Functions only; part of the
# program that transaction.sh ends. T is the transaction's directory, STATE its parent's
# parent; CODE and DETAIL say what went wrong.

# "KIND MODE UID GID SHA256" of a path, as plans write it; no link is followed.
fingerprint() {
  if [ -L "$1" ]; then
    printf 'symlink - - - -'
  elif [ ! -e "$1" ]; then
    printf 'absent - - - -'
  elif [ ! -f "$1" ]; then
    printf 'other - - - -'
  else
    printf 'regular %s %s' "$(stat -c '%a %u %g' -- "$1")" "$(sha256_of "$1")"
  fi
}

sha256_of() {
  sum=$(sha256sum <"$1") && printf '%s' "${sum%% *}"
}

# Sets path, before and after (fingerprints) of change number $1; fails where there is none.
read_change() {
  while read -r word count b1 b2 b3 b4 b5 a1 a2 a3 a4 a5 path; do
    [ "$word $count" = "change $1" ] || continue
    before="$b1 $b2 $b3 $b4 $b5"
    after="$a1 $a2 $a3 $a4 $a5"
    return 0
  done <"$T/plan"
  return 1
}

count_changes() {
  grep -c '^change ' "$T/plan"
}

# Goes into a directory by its real name, which is empty for / itself; the caller is a subshell.
enter() {
  set -- "${1:-/}"
  cd -P -- "$1" || return 1
  [ "$(pwd -P)" = "$1" ] && return 0
  echo "$1 is reached through a link" >&2
  return 1
}

# swap_in SOURCE PATH MODE UID GID: PATH holds SOURCE's bytes, durably, or what it held before.
swap_in() (
  enter "${2%/*}" || exit 1
  name=${2##*/}
  staged=$(mktemp "./.$name.harbor-agent.XXXXXX") || exit 1
  if cat -- "$1" >"$staged" && chown "$4:$5" "$staged" && chmod "$3" "$staged" && keep_label "$staged" "$name" &&
    sync "$staged" && mv -fT "$staged" "./$name" && sync .; then
    exit 0
  fi
  rm -f "$staged"
  exit 1
)

# SELinux: a file that is replaced keeps its label, a new one gets its directory's rule.
keep_label() {
  [ -e /sys/fs/selinux/enforce ] || return 0
  if [ -e "$2" ]; then
    chcon --reference="./$2" "$1"
  elif command -v restorecon >/dev/null 2>&1; then
    label=$(matchpathcon -n "$(pwd -P)/$2" 2>/dev/null) || return 0
    chcon "$label" "$1"
  fi
}

take_away() (
  enter "${1%/*}" || exit 1
  rm -f "./${1##*/}" && sync .
)

# set_file PATH FINGERPRINT SOURCE: brings PATH to what the fingerprint says.
set_file() {
  # shellcheck disable=SC2086 # five words
  set -- "$1" "$3" $2
  case $3 in
    absent)
      [ -d "${1%/*}/" ] || return 0
      take_away "$1"
      ;;
    regular) make_directory "${1%/*}" && swap_in "$2" "$1" "$4" "$5" "$6" ;;
    *)
      echo "$1 cannot be made a $3" >&2
      return 1
      ;;
  esac
}

# Notes a directory before making it, so that a restoration takes it away again.
make_directory() {
  if [ -z "$1" ] || [ -d "$1" ]; then return 0; fi
  make_directory "${1%/*}" || return 1
  if [ -L "$1" ] || [ -e "$1" ]; then
    echo "$1 is no directory" >&2
    return 1
  fi
  printf '%s\n' "$1" >>"$T/created-directories" && sync "$T/created-directories" &&
    mkdir -m 0755 -- "$1" && sync "${1%/*}/"
}

# Deepest first; one that somebody put a file into stays.
remove_directories() {
  [ -f "$1" ] || return 0
  sed '1!G;h;$!d' "$1" | while read -r directory; do
    if [ -d "$directory" ] && [ ! -L "$directory" ]; then rmdir -- "$directory" 2>/dev/null; fi
  done
  :
}

# Nothing is changed by this: it finds out whether the change could be made.
check_writable() {
  parent=${path%/*}
  while [ -n "$parent" ] && [ ! -e "$parent" ] && [ ! -L "$parent" ]; do parent=${parent%/*}; done
  trial=$(
    exec 2>&1
    enter "$parent" || exit 1
    probe=$(mktemp ./.harbor-agent.XXXXXX) || exit 1
    status=0
    if [ -f "$T/after.$number" ]; then cat "$T/after.$number" >"$probe" && sync "$probe" || status=1; fi
    rm -f "$probe"
    # An immutable or bind-mounted file cannot be linked either, and unlike writing that changes nothing.
    if [ "$status" = 0 ] && [ -f "$path" ]; then ln "./${path##*/}" "$probe" && rm -f "$probe" || status=1; fi
    exit "$status"
  ) && return 0
  case $trial in
    *'No space left'* | *'quota'*) fail no-space "$path: $trial" ;;
    *'through a link'*) fail target-is-symlink "$path: $trial" ;;
    *) fail file-not-writable "$path: $trial" ;;
  esac
}

check_fingerprint() {
  found=$(fingerprint "$path")
  case $found in
    symlink*) fail target-is-symlink "$path is a symbolic link" || return 1 ;;
    other*) fail file-not-writable "$path is no regular file" || return 1 ;;
    "$before") return 0 ;;
  esac
  fail plan-stale "$path is no longer as planned: expected $before, found $found"
}

# Keeps what is there now; the plan's own "absent" is the other half of the backup.
back_up() {
  case $before in absent*) return 0 ;; esac
  cp -Pp -- "$path" "$T/before.$number" && sync "$T/before.$number" || return 1
  case $(fingerprint "$T/before.$number") in
    "$before") return 0 ;;
    *) return 1 ;;
  esac
}

# The very first state of a file that this tool ever saw is kept for good.
keep_pristine() {
  mkdir -p "$STATE/pristine" && touch "$STATE/pristine/manifest" || return 1
  while read_pristine; do
    [ "$known" != "$path" ] || return 0
  done <"$STATE/pristine/manifest"
  name=$(($(wc -l <"$STATE/pristine/manifest") + 1))
  if [ -f "$T/before.$number" ]; then
    cp -p "$T/before.$number" "$STATE/pristine/$name" && sync "$STATE/pristine/$name" || return 1
  fi
  printf '\n%s %s %s .\n' "$name" "$before" "$path" >>"$STATE/pristine/manifest" && sync "$STATE/pristine/manifest"
}

# Sets name, b1 to b5 (a fingerprint) and known (a path) of the next whole line of the manifest on standard input. As in
# the journal, a dot at the end tells it from a torn one: that was broken off before the file it names was changed.
read_pristine() {
  while read -r name b1 b2 b3 b4 b5 known; do
    case $known in /*' .') ;; *) continue ;; esac
    known=${known% .}
    return 0
  done
  return 1
}

# What systemd is to start must be what the files say: it reads them again where this change has unit files, and before
# a restart where somebody else's were not read yet, for the plan counts with them.
have_systemd_read() {
  changes_units || { [ "$action" = restart ] && is_unread; } || return 0
  said=$(systemctl daemon-reload 2>&1) && return 0
  fail daemon-reload-failed "systemd did not read its files again: $said"
}

is_unread() {
  [ "$(systemctl show "$unit" -p NeedDaemonReload 2>/dev/null)" = NeedDaemonReload=yes ]
}

# Whether unit files are among the changes.
changes_units() {
  grep -qE '^change .* /(etc|run|usr/lib|usr/local/lib|lib)/systemd/[^ ]*$' "$T/plan"
}

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

# shellcheck shell=sh disable=SC2034,SC2154
# The way back: after a failed change, after an interruption, at boot, and on request. Functions only; part of the
# program that transaction.sh ends.

# restore CODE DETAIL: every file back, the daemon too, and both proven. Ends in a final step.
restore() {
  journal restoring "$1" "$2"
  if is_stopping; then return 0; fi
  cause_code=$1 cause_detail=$2
  if ! put_back_files 2>"$T/trouble"; then
    # Recovery at boot stays armed: the disk may be writable then.
    journal rollback_failed restore-failed "$(cat "$T/trouble")"
    return 0
  fi
  have_systemd_read
  if is_daemon_touched && ! restore_daemon; then
    finish_restoration rollback_failed "$CODE" "$DETAIL (after: $cause_detail)"
  else
    finish_restoration rolled_back "$cause_code" "$cause_detail"
  fi
}

is_daemon_touched() {
  [ "$action" != none ] || return 1
  has_step activating || has_step keeping || ! is_live_as_before
}

finish_restoration() {
  save_outcome
  journal "$@"
  close
}

# During shutdown systemd refuses to start anything; recovery at boot takes over.
is_stopping() {
  [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]
}

put_back_files() {
  number=$(count_changes)
  while [ "$number" -gt 0 ]; do
    read_change "$number"
    # Without the journal's word, what we wrote is known by its hash.
    if has_step "swapping-$number" || [ "$(fingerprint "$path")" = "$after" ]; then put_back "$path" "$before" || return 1; fi
    number=$((number - 1))
  done
  remove_directories "$T/created-directories"
  if [ -f "$T/record.before" ]; then
    swap_in "$T/record.before" "$STATE/record/docker.json" 600 0 0 || return 1
  else
    rm -f "$STATE/record/docker.json"
  fi
}

put_back() {
  rm -f "${1%/*}/.${1##*/}.harbor-agent."??????
  if [ "$(fingerprint "$1")" != "$2" ]; then set_file "$1" "$2" "$T/before.$number" || return 1; fi
  [ "$(fingerprint "$1")" = "$2" ] && return 0
  echo "$1 is not as it was" >&2
  return 1
}

restore_daemon() {
  deadline=$(($(now) + patience))
  # What a reload brought, a reload takes back.
  if { [ "$action" = reload ] || ! has_step activating; } && is_active; then
    revoke
    until_deadline $(($(now) + 3)) is_daemon_as_before && return 0
    fail registry-not-live "the daemon did not go back by a reload" || journal restarting "$CODE" "$DETAIL"
  fi
  if ! restart_keeping_containers; then
    deadline=$(($(now) + patience))
    restart_daemon "$deadline" || return 1
  fi
  until_deadline "$deadline" is_live_as_before ||
    { fail restore-failed "the daemon's live list is not what it was"; return 1; }
  # Containers are told apart from the daemon: what is lost is reported, and no reason to call the files wrong.
  await_containers
  return 0
}

is_daemon_as_before() {
  is_live_as_before || return 1
  ! must_switch_off || is_live_restore_off
}

# A key that is gone from the file stays in force after SIGHUP (moby#36632): what takes it back is shown to the daemon
# for a moment. A key that the change did not bring may be a flag, and is not shown beside it.
revoke() {
  members='' value=''
  if planned_configuration | grep -q '"insecure-registries"' && ! grep -qs '"insecure-registries"' "$config_file"; then
    members='"insecure-registries":[]'
  fi
  if must_switch_off; then members="$members${members:+,}\"live-restore\":false" value=false; fi
  if [ -z "$members" ]; then
    reload_daemon
    return 0
  fi
  conceal && show "$members" "$value" && reload_daemon
  until_deadline $(($(now) + 3)) is_daemon_as_before
  reveal
}

# Sets the daemon's file, as restored, aside. reveal brings it back.
conceal() {
  known_file=$(fingerprint "$config_file")
  rm -f "$T/concealed"
  case $known_file in absent*) ;; *) cp -p "$config_file" "$T/concealed" ;; esac
}

# show MEMBERS VALUE: the daemon's file holds MEMBERS before what was set aside, and there VALUE for live-restore. It
# is an object, or dockerd would not have started with it.
show() {
  script='s/^[[:space:]]*{[[:space:]]*//; s/^[^}]/,&/'
  [ -z "$2" ] || script="$script; s/\"live-restore\"[[:space:]]*:[[:space:]]*[a-z]*/\"live-restore\":$2/g"
  {
    printf '{%s' "$1"
    if grep -qs '{' "$T/concealed"; then tr '\n' ' ' <"$T/concealed" | sed "$script"; else printf '}'; fi
  } >"$T/shown"
  case $known_file in absent*) shown='regular 600 0 0 -' ;; *) shown=$known_file ;; esac
  set_file "$config_file" "$shown" "$T/shown"
}

reveal() {
  set_file "$config_file" "$known_file" "$T/concealed"
  remove_directories "$T/created-directories"
}

# The recovery unit is proof too, where the journal was lost.
is_prepared() {
  has_step prepared || is_armed
}

# Before recovery is armed no file was changed, and in a shutdown nobody would take up a restoration.
finish() {
  remove_stages
  if is_final; then
    [ "$step" = rollback_failed ] || disarm
  elif is_armed || { is_prepared && ! is_stopping; }; then
    restore transaction-interrupted "the transaction's process ended after step $(last_progress)"
  else
    journal refused transaction-interrupted "the transaction's process ended after step $(last_progress)"
    close
  fi
}

# At boot: files only; Docker starts afterwards by itself with what is restored here.
recover() {
  # The same boot: somebody started sysinit.target again while the transaction runs.
  if [ "$(cat /proc/sys/kernel/random/boot_id)" = "$(cat "$T/boot-id")" ]; then return 0; fi
  if is_final && [ "$step" != rollback_failed ]; then
    disarm
  elif ! is_prepared; then
    journal refused transaction-interrupted "the node went down after step $(last_progress)"
  elif put_back_files 2>"$T/trouble"; then
    journal rolled_back transaction-interrupted "the node went down after step $(last_progress)"
    disarm
  else
    journal rollback_failed restore-failed "$(cat "$T/trouble")"
  fi
  prune
  sync
  systemctl daemon-reload
}

rollback() {
  require_node || return 0
  [ -f "$T/journal" ] || { report; return 0; }
  until_deadline $(($(now) + 300)) is_final_or_gone
  read_journal
  case $step in
    rolled_back | refused) ;;
    *)
      wait_for_lock || return 0
      asked=$(grep -c '^undoing ' "$T/journal")
      start_unit undo || return 0
      until_deadline $(($(now) + 5)) is_undoing
      wait_until_final
      ;;
  esac
  report
}

is_undoing() {
  [ "$(grep -c '^undoing ' "$T/journal")" -gt "$asked" ]
}

undo() {
  CODE='' DETAIL=''
  is_final && ended=$step || ended=interrupted
  journal undoing
  if [ "$ended" = committed ] && ! is_as_written; then
    journal committed "$CODE" "$DETAIL"
    return 0
  fi
  cat /proc/sys/kernel/random/boot_id >"$T/boot-id"
  if ! is_prepared; then
    journal refused transaction-interrupted "the transaction was broken off before it changed anything"
  elif ! arm 2>"$T/trouble"; then
    journal rollback_failed state-not-writable "recovery at boot could not be armed: $(cat "$T/trouble")"
  else
    # What ran when the change was made may long be gone.
    if has_step activating; then list_containers --filter status=running >"$T/containers.before"; fi
    restore rollback-requested "taken back on request"
  fi
}

is_as_written() {
  number=1
  while read_change "$number"; do
    [ "$(fingerprint "$path")" = "$after" ] || { fail plan-stale "$path was changed after the transaction"; return 1; }
    number=$((number + 1))
  done
}

# shellcheck shell=sh disable=SC2015,SC2154
# How a transaction begins: who may hold the node, what is put down there, and the unit that carries it out by itself.
# Functions only; part of the program that transaction.sh ends.

lock_state() {
  systemctl show "$LOCK" -p ActiveState 2>/dev/null | sed -n 's/^ActiveState=//p'
}

lock_holder() {
  systemctl show "$LOCK" -p Description 2>/dev/null | sed -n 's/^Description=harbor-agent transaction //p'
}

is_locked() {
  case $(lock_state) in active | activating | deactivating | reloading) return 0 ;; esac
  return 1
}

begin() {
  require_node || return 0
  # A repeated begin of the same transaction only waits for it.
  if [ ! -f "$T/journal" ]; then
    wait_for_lock && require_no_other || return 0
    unpack || { refuse state-not-writable "$STATE cannot be written: $trouble"; return 0; }
    load
    start_unit run || { rm -rf "$T"; return 0; }
  fi
  wait_until_final
  report
}

# Prints a refusal of what never got a journal, and fails.
refuse() {
  frame "$ID" refused preflight "$1" "$(encode "$2")"
  return 1
}

require_node() {
  if [ "$(id -u)" != 0 ]; then
    refuse not-root "changing a node takes root"
  elif [ ! -d /run/systemd/system ]; then
    refuse no-systemd "the node does not run systemd"
  elif ! command -v systemd-run >/dev/null 2>&1; then
    refuse no-systemd "the node has no systemd-run"
  fi
}

# A holder that has finished is only clearing away; any other is named.
wait_for_lock() {
  until_deadline $(($(now) + 5)) is_lock_settled && return 0
  # It may have ended between the question whether it is held and the one by whom.
  is_locked || return 0
  refuse transaction-running "transaction $(lock_holder) is under way on this node"
}

is_lock_settled() {
  is_locked || return 0
  is_final "$STATE/transactions/$(lock_holder)" || return 2
  return 1
}

# One that changed files and did not end must be taken back first, or its backup would be of a half-done state. One that
# could not be taken back is armed still: the next boot would take back what came after it too.
require_no_other() {
  other=$(armed_transaction)
  [ -n "$other" ] || return 0
  if is_final "$STATE/transactions/$other" && [ "$step" != rollback_failed ]; then return 0; fi
  refuse transaction-pending "transaction $other was broken off and not yet taken back"
}

# Sets trouble where it fails.
unpack() {
  trouble=$(
    exec 2>&1
    # Behind a link, recovery might look at boot where nothing is mounted yet.
    for place in "$STATE" "$STATE/transactions" "$STATE/record" "$STATE/pristine"; do
      [ ! -L "$place" ] || { echo "$place is a symbolic link" && exit 1; }
    done
    mkdir -p "$STATE/transactions" "$STATE/record" && chmod 0700 "$STATE" && mkdir "$T" || exit 1
    printf '%s' "$PAYLOAD_PLAN" | base64 -d >"$T/plan" &&
      printf '%s' "$PAYLOAD_PROGRAM" | base64 -d >"$T/transaction.sh" &&
      printf '%s' "$PAYLOAD_RECORD" | base64 -d >"$T/record" || exit 1
    content='' number=1
    while read_change "$number"; do
      eval "content=\$PAYLOAD_CONTENT_$number"
      case $after in regular*) printf '%s' "$content" | base64 -d >"$T/after.$number" || exit 1 ;; esac
      number=$((number + 1))
    done
    [ "$(tail -n 1 "$T/plan")" = end ] && cat /proc/sys/kernel/random/boot_id >"$T/boot-id" || exit 1
    sync "$T"/* && sync "$T" "$STATE/transactions" && journal begun && sync "$T"
  ) && return 0
  rm -rf "$T"
  return 1
}

# The unit's name is the lock: systemd gives it to one. Older versions lack some of the options.
start_unit() {
  version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  systemctl reset-failed "$LOCK" 2>/dev/null
  set -- /bin/sh "$T/transaction.sh" "$1" "$ID"
  if [ "$version" -ge 236 ]; then
    set -- --collect -p TimeoutStopSec=300 -p "RuntimeMaxSec=$((patience * 2 + 120))" -p "ExecStopPost=/bin/sh $T/transaction.sh finish $ID" "$@"
  fi
  if [ "$version" -ge 240 ]; then set -- --service-type=exec "$@"; fi
  if ! trouble=$(systemd-run --quiet --unit="$LOCK" --description="harbor-agent transaction $ID" \
    -p KillMode=mixed "$@" 2>&1); then
    if is_locked; then
      refuse transaction-running "transaction $(lock_holder) is under way on this node"
    else
      refuse transaction-not-started "$trouble"
    fi
    return 1
  fi
}

wait_until_final() {
  until_deadline $(($(now) + patience * 2 + 180)) is_final_or_gone
}

is_final_or_gone() {
  is_final && return 0
  # The journal is looked at all the time; systemd is asked once a second, for that takes from what dockerd needs.
  read -r asking _ </proc/uptime
  [ "${asking%.*}" != "${asked_at:-}" ] || return 1
  asked_at=${asking%.*}
  is_locked && return 1
  # The unit may have ended between the two questions.
  is_final
  return 0
}

# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# One change of a node, as a transaction that ends by itself in "committed" or "rolled_back".
#   begin ID     root; takes the node's lock (a transient unit of a fixed name), starts `run`, waits, reports
#   run ID       in that unit: preflight, back up, swap, tell the daemon, judge its health, commit or restore
#   finish ID    in that unit, after `run` ended in whatever way
#   recover ID   at boot before Docker, where the node went down in the middle
#   status ID    reports;  rollback ID  takes a committed or broken-off one back;  undo ID  its half in the unit
# Its parts (transaction_wire.py has their order) stand before this text, the plan follows in variables. Everything is a
# function and the call is the last line, so that a truncated copy does nothing. docs/architecture.md has the reasons.
# (`A && B || fail` is meant as it reads, and variables are shared between the parts, hence the exceptions above.)

load() {
  live_restore=''
  while read -r word value; do
    case $word in
      unit) unit=$value ;;
      action) action=$value ;;
      config-file) config_file=$value ;;
      deadline) patience=$value ;;
      live-restore) live_restore=$value ;;
    esac
  done <"$T/plan"
}

run() {
  CODE='' DETAIL=''
  if ! preflight || ! prepare; then
    journal refused "$CODE" "$DETAIL"
    disarm
    close
    return 0
  fi
  if swap_all && tell_daemon && commit; then
    close
    return 0
  fi
  restore "$CODE" "$DETAIL"
}

preflight() {
  journal preflight
  number=1
  while read_change "$number"; do
    check_fingerprint && check_writable || return 1
    number=$((number + 1))
  done
  : >"$T/live.before" && : >"$T/containers.before" || { fail state-not-writable "$T cannot be written"; return 1; }
  [ "$action" != none ] || return 0
  is_active || { fail docker-not-running "$unit is not active"; return 1; }
  fact MainPID
  if tr '\0' ' ' <"/proc/$value/cmdline" | grep -q -e '--containerd[= ]/run/containerd/' &&
    ! systemctl is-active --quiet containerd.service; then
    fail containerd-not-running "containerd.service is not active"
    return 1
  fi
  live_list >"$T/live.before" || { fail docker-silent "dockerd does not answer"; return 1; }
  # dockerd judges while it lists its containers.
  { validate_planned || printf '%s %s\n' "$CODE" "$DETAIL"; } >"$T/judgement" &
  list_containers --filter status=running >"$T/containers.before" ||
    { wait "$!"; fail docker-silent "dockerd does not list its containers"; return 1; }
  wait "$!"
  [ ! -s "$T/judgement" ] || { read -r CODE DETAIL <"$T/judgement"; return 1; }
}

# Everything a restoration needs is on disk before "prepared" is journalled, and is armed before a file moves.
prepare() {
  number=1
  while read_change "$number"; do
    back_up && keep_pristine || { fail backup-failed "$path could not be backed up"; return 1; }
    number=$((number + 1))
  done
  if [ -f "$STATE/record/docker.json" ]; then
    cp -p "$STATE/record/docker.json" "$T/record.before" && sync "$T/record.before" ||
      { fail backup-failed "the record could not be backed up"; return 1; }
  fi
  sync "$T"/* && sync "$T" && journal prepared || { fail state-not-writable "$T cannot be written"; return 1; }
  arm 2>"$T/trouble" || { fail state-not-writable "recovery at boot could not be armed: $(cat "$T/trouble")"; return 1; }
  journal armed
}

# Before dockerd, containerd and their sockets, so that the node boots with the files it had.
arm() {
  wants=/etc/systemd/system/sysinit.target.wants
  mkdir -p "$wants" && chmod 0755 "$wants" && printf '%s\n' '[Unit]' "Description=harbor-agent: take back transaction $ID" \
    DefaultDependencies=no 'After=local-fs.target systemd-remount-fs.service' "RequiresMountsFor=$STATE" \
    'Before=containerd.service docker.socket docker.service' "Before=$unit" '[Service]' Type=oneshot \
    "ExecStart=/bin/sh $T/transaction.sh recover $ID" >"$RECOVERY" &&
    chmod 0644 "$RECOVERY" && ln -sfn "$RECOVERY" "$wants/${RECOVERY##*/}" && sync "$RECOVERY" "$wants" "${RECOVERY%/*}"
}

is_armed() {
  [ "$(armed_transaction)" = "$ID" ]
}

armed_transaction() {
  sed -n 's/^ExecStart=.* recover //p' "$RECOVERY" 2>/dev/null
}

disarm() {
  wants=/etc/systemd/system/sysinit.target.wants
  is_armed || return 0
  rm -f "$wants/${RECOVERY##*/}" "$RECOVERY"
  rmdir "$wants" 2>/dev/null
  sync "${RECOVERY%/*}"
}

swap_all() {
  number=1
  while read_change "$number"; do
    check_fingerprint || return 1
    journal "swapping-$number" || { fail state-not-writable "$T/journal cannot be written"; return 1; }
    set_file "$path" "$after" "$T/after.$number" 2>"$T/trouble" ||
      { fail file-not-writable "$path: $(cat "$T/trouble")"; return 1; }
    journal "swapped-$number"
    number=$((number + 1))
  done
  have_systemd_read
}

tell_daemon() {
  [ "$action" != none ] || return 0
  switch_live_restore_on || return 1
  journal activating
  deadline=$(($(now) + patience))
  if [ "$action" = restart ]; then
    restart_daemon "$deadline" || return 1
  else
    reload_daemon
    # A reload takes effect at once or, with a file that was rejected, never.
    [ "$deadline" -le $(($(now) + 5)) ] || deadline=$(($(now) + 5))
  fi
  journal health
  until_deadline "$deadline" is_live_as_planned || return 1
  await_containers
}

commit() {
  save_outcome
  swap_in "$T/record" "$STATE/record/docker.json" 600 0 0 2>"$T/trouble" ||
    { fail state-not-writable "the record: $(cat "$T/trouble")"; return 1; }
  journal committed
}

save_outcome() {
  printf '%s\n' "${live:-}" >"$T/live.after"
  printf '%s\n' "${lost:-}" >"$T/lost"
}

# What may be done at leisure once the outcome is journalled.
close() {
  disarm
  read_journal
  if [ "$step" = committed ]; then
    [ ! -f "$T/created-directories" ] || cat "$T/created-directories" >>"$STATE/created-directories"
    remove_emptied_directories
  fi
  prune
  read_journal
  if [ "$step_code" = - ]; then step_code=''; fi
  line="transaction $ID $step${step_code:+ ($step_code)}: $action of $unit, $(count_changes) files"
  logger -t harbor-agent "$line" 2>/dev/null || echo "$line" | systemd-cat -t harbor-agent 2>/dev/null
  if changes_units; then systemctl daemon-reload; fi
}

# A directory that this tool made goes with the last file in it.
remove_emptied_directories() {
  [ -f "$STATE/created-directories" ] || return 0
  grep -q '^change .* absent - - - - /' "$T/plan" || return 0
  remove_directories "$STATE/created-directories"
  while read -r directory; do
    [ ! -d "$directory" ] || printf '%s\n' "$directory"
  done <"$STATE/created-directories" | sort -u >"$T/kept-directories"
  mv -f "$T/kept-directories" "$STATE/created-directories"
}

# The last five that hold a backup stay, the last five refusals, and any that is not finished.
prune() {
  # This one counts first, also where the clock was set back and it does not look like the newest.
  if has_step prepared; then with_backup=1 without=0; else with_backup=0 without=1; fi
  # shellcheck disable=SC2012 # the names are ours
  ls -1dt "$STATE"/transactions/*/ 2>/dev/null | while read -r old; do
    [ "$old" != "$T/" ] || continue
    if has_step prepared "$old"; then
      with_backup=$((with_backup + 1))
      if [ "$with_backup" -gt 5 ] && is_over "$old"; then rm -rf "$old"; fi
    else
      without=$((without + 1))
      if [ "$without" -gt 5 ]; then rm -rf "$old"; fi
    fi
  done
}

# Final, or it ended before it changed anything: whoever asks holds the lock, so it is not under way.
is_over() {
  is_final "$1" || ! has_step 'swapping-[0-9]*' "$1"
}

main() {
  umask 077
  LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/bin
  DOCKER_HOST=unix:///var/run/docker.sock
  export LC_ALL PATH DOCKER_HOST
  exec </dev/null
  newline='
'
  STATE=/var/lib/harbor-agent
  LOCK=harbor-agent-transaction.service
  RECOVERY=/etc/systemd/system/harbor-agent-recovery.service
  ID=$2
  T=$STATE/transactions/$ID
  case $ID in '' | .* | *[!A-Za-z0-9._-]*) return 64 ;; esac
  if [ -f "$T/plan" ]; then load; fi
  case $1 in
    begin | rollback) "$1" ;;
    status) report ;;
    run | finish | undo | recover) "$1" >>"$T/log" 2>&1 ;;
    *) return 64 ;;
  esac
}

main "$@"
