#!/bin/sh
# A stand-in for CRI-O, which Debian does not have: it reads registries.conf as CRI-O does, through podman, which has the same
# library, and says in its journal what CRI-O says (cri-o/cri-o, pkg/config/reload.go). It serves no CRI: crictl, beside it,
# pulls with what this daemon has read last. With `auto_reload_registries` it watches the folder of drop-ins, and not the main
# file (server/server.go). Arguments: none, or --version.
place=/run/crio-stand-in
folder=/etc/containers/registries.conf.d

main() {
  if [ "${1:-}" = --version ]; then
    echo 'crio version 1.36.3'
    return 0
  fi
  read_registries || { say fatal "invalid registries: $said" && exit 1; }
  trap reload HUP
  trap 'exit 0' TERM
  if grep -qs '^auto_reload_registries = true' /etc/crio/crio.conf.d/* && [ -d "$folder" ]; then watch; fi
  systemd-notify --ready
  while :; do sleep 1000 & wait "$!"; done
}

# CRI-O has events of the file system; this daemon checks twice a second.
watch() {
  seen=$(print_files)
  systemd-notify --ready
  while :; do
    sleep 0.5 & wait "$!"
    found=$(print_files)
    [ "$found" = "$seen" ] || apply_registries
    seen=$found
  done
}

print_files() {
  ls -l --time-style=full-iso "$folder"/*.conf
}

# A fault in crio.conf.d stops the reload before CRI-O gets to the registries.
reload() {
  if grep -qs '^\[broken' /etc/crio/crio.conf.d/*; then
    say error 'Failed to reload configuration: toml: expected right bracket'
  else
    apply_registries
  fi
}

apply_registries() {
  if read_registries; then
    say info "Applied new registry configuration: &{Registries:[$(print_tables)] UnqualifiedSearchRegistries:[]}"
  else
    say error "system registries reload failed: /etc/containers/registries.conf: $said"
  fi
}

# Keeps a copy of the files that crictl pulls with, which finds the old or the new one at any time.
read_registries() {
  said=$(podman info --format json 2>&1 >/dev/null) || return 1
  old=$(readlink "$place")
  new=$(mktemp -d "$place.XXXXXX") && cp -a /etc/containers "$new" && ln -s "$new" "$new.link" && mv -T "$new.link" "$place"
  [ -z "$old" ] || rm -rf "$old"
}

print_tables() {
  podman info --format '{{range $name, $one := .Registries}}{{if ne $name "search"}}{{$one.Prefix}} {{$one.Location}} {{$one.Insecure}} {{$one.Blocked}}
{{end}}{{end}}' | while read -r prefix location insecure blocked; do
    [ -z "$prefix" ] || printf '%s' \
      "{Prefix:$prefix Endpoint:{Location:$location Insecure:$insecure PullFromMirror:} Mirrors:[] Blocked:$blocked MirrorByDigestOnly:false} "
  done
}

say() {
  printf 'time="%s" level=%s msg="%s"\n' "$(date -u +%FT%TZ)" "$1" "$(printf '%s' "$2" | tr '"\n' "' ")" >&2
}

main "$@"
