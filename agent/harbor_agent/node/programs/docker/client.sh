# shellcheck shell=sh
# The docker command. Functions only; part of several programs.

# Adds the directory of the running dockerd and its own PATH to PATH, if docker is in no directory of PATH: archives are
# unpacked to places such as /opt/kube/bin.
find_docker_client() {
  ! command -v docker >/dev/null 2>&1 || return 0
  # shellcheck disable=SC2013 # a path has no blanks here
  for name in $(grep -lsE '^(dockerd|docker-current|docker-latest|docker-ce)' /proc/[0-9]*/comm); do
    program=$(readlink "${name%/comm}/exe") || continue
    own=$(tr '\0' '\n' <"${name%/comm}/environ" | sed -n 's/^PATH=//p')
    PATH=$PATH:${program%/*}${own:+:$own}
  done 2>/dev/null
}
