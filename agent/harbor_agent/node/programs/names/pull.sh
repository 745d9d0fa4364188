# shellcheck shell=sh
# Names that were just added to /etc/hosts, in a pull. Functions only; part of the programs that pull.sh ends.

# has_stale_answer IMAGE OUTPUT: whether a daemon does not find the registry's name although the node does. Go keeps what it
# read of /etc/hosts for 5 s.
has_stale_answer() {
  case $2 in *'no such host'*) ;; *) return 1 ;; esac
  name=${1%%/*}
  timeout 2 getent hosts "${name%:*}" >/dev/null 2>&1
}
