# shellcheck shell=sh disable=SC2034,SC2154
# What makes the node Ready, as far as the node can ask without a login: the conditions that CRI reports to kubelet, and
# kubelet's own answer. Both are asked by curl; what was not known before the change is not required after it. kubelet.sh
# precedes this text. Functions only; part of the program that transaction.sh ends.

note_health() {
  note_processes
  kubelet=$(find_kubelet)
  find_root
  # Kubelet may be stopped when it is asked again.
  print_health_address >"$T/kubelet.health" 2>/dev/null
  {
    list_conditions
    ! is_kubelet_healthy || echo kubelet
  } >"$T/health.before"
}

# has_health FACT: whether it was so before the change.
has_health() {
  grep -qsx "$1" "$T/health.before"
}

# Whether all that was healthy before the change is healthy again; sets CODE and DETAIL.
is_node_healthy() {
  [ -s "$T/health.before" ] || return 0
  conditions=$newline$(list_conditions)$newline
  while read -r fact; do
    case $fact$conditions in
      kubelet*) is_kubelet_healthy || fail kubelet-not-healthy "kubelet does not answer 'ok' on $(cat "$T/kubelet.health")/healthz, as it did before" || return 1 ;;
      *"$newline$fact$newline"*) ;;
      *) fail cri-not-ready "CRI does not report $fact, as it did before" || return 1 ;;
    esac
  done <"$T/health.before"
}

# Prints RuntimeReady and NetworkReady if CRI reports them as true. RuntimeCondition: the type in field 1, then a true
# status in field 2, the bytes 16 and 1.
list_conditions() {
  print_bytes 0 0 0 0 0 | curl_cri 2 RuntimeService/Status -o - 2>/dev/null | tr '\020\001' '=1' | tr -c '[:alnum:]=' ' ' |
    grep -oE '(Runtime|Network)Ready=1' | sed 's/=1//'
}

# A kubelet whose port is off is not asked.
is_kubelet_healthy() {
  [ -s "$T/kubelet.health" ] && [ "$(curl -q -g -s -m 2 --noproxy '*' "http://$(cat "$T/kubelet.health")/healthz" 2>/dev/null)" = ok ]
}
