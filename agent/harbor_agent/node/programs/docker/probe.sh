# shellcheck shell=sh disable=SC2154
# Docker on a node. Functions only; part of the program that probe.sh ends.

find_docker() {
  find_docker_socket
  unit=docker.service
  show_unit
  case $(print_property LoadState) in
    loaded | masked) ;;
    *)
      other=$(find_other_unit)
      [ -z "$other" ] || { unit=$other && show_unit; }
      ;;
  esac
  main_pid=$(print_property MainPID)
  follow_socket
  [ "${main_pid:-0}" != 0 ] || [ -n "$foreign" ] || main_pid=$(find_pid_without_unit)
  find_docker_client
  docker_pid=$main_pid
  dockerd=$(readlink "/proc/$main_pid/exe" 2>/dev/null) || dockerd=
  [ -n "$dockerd" ] || dockerd=$(command -v dockerd || command -v dockerd-current)
  # podman-docker uses the name docker, but it is podman.
  case $(print_property ExecStart) in *podman*) return 1 ;; esac
  [ "$(print_property LoadState)" = loaded ] || [ -n "$dockerd" ]
}

# A dockerd under another name, such as snap.docker.dockerd.service, but not cri-dockerd.
find_other_unit() {
  grep -lsE '^ExecStart=(.*[/ ."'"'"'])?dockerd["'"'"']?( |$)' /etc/systemd/system/*.service \
    /run/systemd/system/*.service /usr/local/lib/systemd/system/*.service /usr/lib/systemd/system/*.service /lib/systemd/system/*.service | sed -n '1s,.*/,,p'
}

find_pid_without_unit() {
  pid=$(cat /var/run/docker.pid 2>/dev/null)
  [ "$(cat "/proc/${pid:-0}/comm" 2>/dev/null)" = dockerd ] && printf '%s' "$pid" || printf 0
}

report_docker() {
  report_unit docker
  [ -z "$foreign" ] || printf '%s\n' "$foreign" | print_block 'docker socket-owner'
  add_unit_files
  add_path "/etc/systemd/system/$unit.d/docker-options.conf"
  for path in /etc/docker /etc/docker/daemon.json /etc/default/docker /etc/sysconfig/docker; do add_path "$path"; done
  add_environment_files
  add_configuration_files
  report_certificates
}

# Names and kinds only: keys of others stay on the node. What this tool wrote there, or has in its record, is read as well.
report_certificates() {
  for path in /etc/docker/certs.d/*/*.crt /etc/docker/certs.d/*/*.cert /etc/docker/certs.d/*/*.key; do
    if [ -f "$path" ]; then
      printf 'file %s\n' "$path"
    elif [ -d "$path" ]; then
      printf 'directory %s\n' "$path"
    elif [ -L "$path" ]; then
      printf 'missing %s\n' "$path"
    fi
  done | sed -n 1,500p | print_block docker certificates
  for path in /etc/docker/certs.d/*/harbor-agent.crt /etc/docker/certs.d/*/harbor-agent.cert /etc/docker/certs.d/*/harbor-agent.key; do add_existing "$path"; done
  named=$(sed -n 's|"\(/etc/docker/certs.d/[^"]*/harbor-agent\.[a-z]*\)"|\n\1\n|gp' /var/lib/harbor-agent/record/docker.json |
    grep '^/etc/docker/certs.d/')
  IFS=$newline
  for path in $named; do add_path "$path"; done
  IFS=$standard_separators
}

add_configuration_files() {
  pattern='s/.*--config-file[= ]\{1,\}["'\'']\{0,1\}\(\/[^"'\'' \\]*\).*/\1/p'
  named=$(
    run_with_texts sed -n "$pattern" 2>/dev/null
    [ "$main_pid" = 0 ] || tr '\0' ' ' <"/proc/$main_pid/cmdline" | sed -n "$pattern"
  )
  for path in $named; do
    add_path "$path"
    add_path "${path%/*}"
  done
}

run_docker_client() {
  DOCKER_HOST=unix://$docker_socket timeout "$@"
}

# A stopped daemon is not asked: the question would start it through its socket.
ask_docker() {
  if [ "$docker_pid" = 0 ]; then
    [ -z "$dockerd" ] || timeout 5 "$dockerd" --version 2>/dev/null | print_block docker version
    return 0
  fi
  # shellcheck disable=SC2016 # a Go template
  facts=$(run_docker_client 5 docker info --format '{{json .RegistryConfig}}{{println}}{{json .LiveRestoreEnabled}}{{println}}{{json .ServerVersion}}{{println}}{{json .Swarm.LocalNodeState}}')
  case $facts in
    '{'*) ;;
    *)
      said=$(run_docker_client 5 docker info 2>&1 >/dev/null | tail -n 1)
      printf '%s\n' "${said:-it describes itself as \"$(printf '%s' "$facts" | head -n 1)\"}" | print_block docker silent
      timeout 5 "$dockerd" --version 2>/dev/null | print_block docker version
      return 0
      ;;
  esac
  printf '%s\n' "$facts" | print_block docker daemon
  if described=$(describe_containers); then printf '%s\n' "$described" | print_block docker containers; fi
}

# Fails if the daemon does not list them. A container that ends meanwhile makes `docker inspect` fail, although it prints
# the others.
describe_containers() {
  identities=$(run_docker_client 5 docker ps -q --no-trunc) || return 1
  [ -n "$identities" ] || return 0
  # shellcheck disable=SC2086 # one word each
  described=$(run_docker_client 20 docker inspect --format \
    '[{{json .Name}},{{json .Config.Image}},{{json .HostConfig.RestartPolicy.Name}},{{json (index .Config.Labels "io.kubernetes.pod.uid")}}]' \
    $identities)
  [ -n "$described" ] && printf '%s\n' "$described"
}
