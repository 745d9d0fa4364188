# shellcheck shell=sh disable=SC2154
# The names that a change adds to /etc/hosts must resolve. Functions only; part of the program that transaction.sh ends.

# Waits out the caches: systemd-resolved reads the file every 2 s, nscd keeps "no such name" for 20 s, Go for 5 s. Without
# getent only the pull by name proves them. Fails with CODE and DETAIL.
prove_names() {
  grep -q '^name ' "$T/plan" && command -v getent >/dev/null 2>&1 || return 0
  until_deadline $(($(now) + (patience < 25 ? patience : 25))) are_names_resolved
}

are_names_resolved() {
  while read -r keyword address name; do
    [ "$keyword" = name ] || continue
    found=$(timeout 5 getent ahosts "$name" 2>/dev/null | sed 's/[[:space:]].*//' | sort -u | tr '\n' ' ')
    case " $found" in *" $address "*) continue ;; esac
    found=${found% }
    fail name-not-in-effect "$name does not resolve to $address with /etc/hosts, but to ${found:-nothing}"
    sleep 1
    return 1
  done <"$T/plan"
}
