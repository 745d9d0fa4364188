# shellcheck shell=sh disable=SC2154
# The files that CRI-O and podman read. Functions only; part of the program that probe.sh ends.

add_registries_files() {
  for place in /etc/containers /root/.config/containers; do
    add_path "$place/registries.conf"
    for path in "$place"/registries.conf.d/*; do add_existing "$path"; done
  done
  # For each registry the folders of its certificates; of files of others, which may be keys, nothing is read.
  for entry in $known; do
    for place in "/etc/containers/certs.d/$entry" "/etc/docker/certs.d/$entry"; do
      add_path "$place"
      for name in crt cert key; do add_path "$place/harbor-agent.$name"; done
    done
  done
  # What the operator's daemon holds may be a secret; only that it is there matters.
  add_path /etc/machine-config-daemon/currentconfig
  bare=$bare$newline/etc/machine-config-daemon/currentconfig
}
