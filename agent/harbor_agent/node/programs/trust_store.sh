# shellcheck shell=sh disable=SC2034,SC2154
# The system's trust store, if a transaction changes certificates in it. Functions only; part of the program that
# transaction.sh ends.

# Prints the layout whose certificates this change has: Debian's or Red Hat's.
print_changed_store() {
  if grep -q '^change .* /usr/local/share/ca-certificates/[^/]*$' "$T/plan"; then
    echo debian
  elif grep -q '^change .* /etc/pki/ca-trust/source/anchors/[^/]*$' "$T/plan"; then
    echo redhat
  fi
}

# Fails if the bundle is not what the node's own program makes of its certificates: what somebody added to the bundle
# itself would be lost, and no restoration would bring it back. Red Hat's bundles say that they must not be edited.
check_trust_store() {
  [ "$(print_changed_store)" = debian ] || return 0
  bundle=ca-certificates.crt
  said=$(mkdir "$T/store" && update-ca-certificates --etccertsdir "$T/store" --hooksdir "$T/none" 2>&1) ||
    { fail trust-store-failed "update-ca-certificates: $said"; return 1; }
  made=$(hash_file "$T/store/$bundle")
  rm -rf "$T/store"
  [ "$made" = "$(hash_file "/etc/ssl/certs/$bundle")" ] ||
    fail trust-store-edited "/etc/ssl/certs/$bundle is not what update-ca-certificates makes of the node's certificates"
}

# Has the store's own program read the certificates again, for all programs of the node.
refresh_trust_store() {
  case $(print_changed_store) in
    debian)
      said=$(umask 022 && update-ca-certificates 2>&1 && remove_dangling_links &&
        sync /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs)
      ;;
    redhat) said=$(umask 022 && update-ca-trust extract 2>&1) ;;
    *) return 0 ;;
  esac && return 0
  fail trust-store-failed "the system's trust store was not made again: $said"
}

# Removes the links to our certificates that are gone: update-ca-certificates does so only when it adds one.
remove_dangling_links() {
  for link in /etc/ssl/certs/*; do
    [ -e "$link" ] && continue
    case $(readlink "$link") in
      /usr/local/share/ca-certificates/harbor-agent-* | harbor-agent-*.pem) rm -f "$link" || return 1 ;;
    esac
  done
}
