# shellcheck shell=sh disable=SC2034,SC2154
# Writes the record of a runtime on a node that needed no change (node/wire/record.py decodes the answer). Argument: the
# runtime. journal.sh and files.sh precede this text, the record follows in a variable.

write_record() {
  if [ "$(id -u)" != 0 ]; then
    fail not-root "writing the record takes root"
  elif is_busy; then
    fail transaction-running "a transaction is under way on this node and writes the record itself"
  else
    trouble=$(store 2>&1) || fail state-not-writable "$STATE cannot be written: $trouble"
  fi
}

is_busy() {
  case $(systemctl show harbor-agent-transaction.service -p ActiveState 2>/dev/null) in
    *=active | *=activating | *=deactivating | *=reloading) return 0 ;;
  esac
  [ -e /etc/systemd/system/harbor-agent-recovery.service ]
}

store() {
  mkdir -p "$STATE/record" && chmod 0700 "$STATE" &&
    printf '%s' "$PAYLOAD_RECORD" | base64 -d >"$STATE/record/.new" &&
    swap_in "$STATE/record/.new" "$STATE/record/$runtime.json" 600 0 0 || return 1
  rm -f "$STATE/record/.new"
}

main() {
  umask 077
  LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/bin
  export LC_ALL PATH
  exec 2>/dev/null </dev/null
  STATE=/var/lib/harbor-agent
  runtime=$1
  case $runtime in '' | *[!a-z0-9-]*) return 64 ;; esac
  answer=$(write_record && echo written || printf 'problem %s %s' "$CODE" "$(encode "$DETAIL")")
  printf '\nharbor-agent/recorded/1 begin\n%s\nharbor-agent/recorded/1 end\n' "$answer"
}

main "$@"
