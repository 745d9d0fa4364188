# shellcheck shell=sh disable=SC2034
# The docker command and the socket that it connects to. Functions only; part of several programs.

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

# Sets docker_socket: the one that cri-dockerd, or a kubelet with dockershim, connects to, else Docker's default.
find_docker_socket() {
  docker_socket=/var/run/docker.sock
  space=$(readlink /proc/self/ns/pid)
  # shellcheck disable=SC2013 # a path has no blanks here
  for name in $(grep -lsxE 'cri-dockerd|kubelet|hyperkube' /proc/[0-9]*/comm); do
    process=${name%/comm}
    # Nested nodes (kind, dind) have a PID namespace of their own.
    [ "$(readlink "$process/ns/pid")" = "$space" ] || continue
    used=$(tr '\0' '\n' <"$process/cmdline" | sed -n -e 's/^--docker-endpoint=/=/p' -e '/^--docker-endpoint$/{n;s/^/=/p;}' | tail -n 1)
    # An empty value means the environment (client.FromEnv of Docker's library).
    [ "$used" != = ] || used="=$(tr '\0' '\n' <"$process/environ" | sed -n 's/^DOCKER_HOST=//p')"
    used=${used#=}
    [ ! -S "${used#unix://}" ] || docker_socket=${used#unix://}
  done 2>/dev/null
}

run_docker_here() {
  env -i PATH="$PATH" LC_ALL=C DOCKER_HOST="unix://$docker_socket" "$@"
}
