# shellcheck shell=sh disable=SC2034,SC2154
# The journal of a transaction, and the report made from it. Functions only; part of the program that transaction.sh
# ends (the variables come from there, hence the exceptions above).

# fail CODE DETAIL: sets both, and fails.
fail() {
  CODE=$1
  DETAIL=$(printf '%s' "$2" | tr '\n' ' ' | cut -c1-600)
  return 1
}

encode() {
  [ -n "$1" ] || { printf -- - && return 0; }
  printf '%s' "$1" | base64 | tr -d '\n'
}

# journal STEP [CODE DETAIL]: on disk when this returns. A line without the dot at its end is torn; the line feed in
# front keeps a torn predecessor apart.
journal() {
  ensure_state
  line="$1 $(now) ${2:--} $(encode "${3:-}") ."
  [ ! -d "$COPY" ] || printf '\n%s\n' "$line" >>"$COPY/journal"
  printf '\n%s\n' "$line" >>"$T/journal" && sync "$T/journal" && { ensure_state || :; }
}

# What the transaction still needs is copied to memory, because a person or a program may remove the state directory.
copy_state() {
  rm -rf "$COPY"
  cp -Rp "$T" "$COPY"
}

has_copy() {
  [ -f "$COPY/plan" ] && [ "$(sed -n 's/^transaction //p' "$COPY/plan" | sed -n 1p)" = "$ID" ]
}

# Brings a removed state directory back, if there is a copy.
ensure_state() {
  if [ -f "$T/plan" ] && [ -f "$T/journal" ] && [ -d "$STATE/record" ]; then return 0; fi
  has_copy || return 1
  mkdir -p "$STATE/transactions" "$STATE/record" && chmod 0700 "$STATE" && mkdir -p "$T" && cp -Rp "$COPY/." "$T"
}

# Sets step, step_code and step_detail of the last complete line, for this transaction or the one in directory $1.
read_journal() {
  step='' step_code='' step_detail=''
  [ -f "${1:-$T}/journal" ] || return 1
  while read -r word _ code detail dot; do
    [ "$dot" = . ] || continue
    step=$word step_code=$code step_detail=$detail
  done <"${1:-$T}/journal"
  # The power went before the last line: what is disarmed is committed.
  if [ "$step" = committing ] && ! is_armed_for "${1:-$T}"; then step=committed; fi
}

# Whether recovery at boot is armed for the transaction in this directory.
is_armed_for() {
  set -- "${1%/}"
  grep -qs " recover ${1##*/}\$" /etc/systemd/system/harbor-agent-recovery.service
}

# has_step STEP [DIRECTORY]
has_step() {
  grep -q "^$1 .* \.\$" "${2:-$T}/journal" 2>/dev/null
}

# The last step before a restoration or the end.
print_last_progress() {
  reached=$(sed -n 's/^\([a-z_0-9-]*\) .* \.$/\1/p' "$T/journal" |
    grep -vxE 'committed|rolled_back|rollback_failed|refused|restoring|restarting|restored' | tail -n 1)
  printf '%s' "${reached:-unknown}"
}

is_final() {
  read_journal "$@"
  case $step in committed | rolled_back | rollback_failed | refused) return 0 ;; esac
  return 1
}

print_plan_value() {
  sed -n "s/^$1 //p" "$T/plan" | sed -n 1p
}

# Whether it ended before it changed a file, and will not change one: the node has booted since, or the unit did not
# start within ten seconds.
is_abandoned() {
  if is_armed || has_step 'swapping-[0-9]*'; then return 1; fi
  [ "$(cat /proc/sys/kernel/random/boot_id)" = "$(cat "$T/boot-id")" ] || return 0
  [ "$(sed -n 's/^begun \([0-9]*\) .*/\1/p' "$T/journal")" -lt $(($(now) - 10)) ]
}

report() {
  if ! read_journal && { ! has_copy || ! read_journal "$COPY"; }; then
    if is_armed; then
      print_frame "$ID" running '' state-removed "$(encode "$STATE was removed while the transaction ran; its files may be changed")"
      return 0
    fi
    print_frame "$ID" none '' transaction-unknown "$(encode "the node knows no transaction $ID")"
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
      elif [ "$step_code" = transaction-interrupted ]; then
        # The cause of a restoration that is under way: its end comes soon.
        step_code=''
      fi
      ;;
  esac
  print_frame "$ID" "$phase" "$(print_last_progress)" "$step_code" "$step_detail"
}

# print_frame ID PHASE STEP CODE DETAIL(base64)
print_frame() {
  printf '\nharbor-agent/transaction/1 begin\n'
  printf '%s\n' "transaction $1" "phase $2" "step ${3:--}" "code ${4:--}" "detail ${5:--}"
  [ ! -f "$T/lost" ] || tr ' ' '\n' <"$T/lost" | sed -n 's/^\(.\)/lost \1/p'
  printf 'harbor-agent/transaction/1 end\n'
}
