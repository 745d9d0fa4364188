# shellcheck shell=sh disable=SC2034,SC2154
# The containers of a transaction with Docker. Functions only; part of the program that transaction.sh ends.

# Before a change, before_change has begun with it.
note_workloads() {
  if [ -z "${listing:-}" ]; then
    list_containers --filter status=running >"$T/workloads.before"
  else
    wait "$listing"
  fi || fail docker-silent "dockerd does not list its containers"
}

# IDs of the containers that the filters of `docker ps` select.
list_identities() {
  run_docker_client 10 docker ps -q --no-trunc "$@"
}

# The same as "ID POLICY KUBERNETES NAME STARTED RESTARTS"; fails if the daemon does not list them. A container that ends
# meanwhile makes `docker inspect` fail, although it prints the others.
list_containers() {
  identities=$(list_identities "$@") || return 1
  [ -n "$identities" ] || return 0
  # shellcheck disable=SC2086 # one word each
  described=$(run_docker_client 20 docker inspect --format '{{.Id}} {{or .HostConfig.RestartPolicy.Name "no"}} {{if index .Config.Labels "io.kubernetes.pod.uid"}}yes{{else}}no{{end}} {{.Name}} {{.State.StartedAt}} {{.RestartCount}}' $identities)
  [ -n "$described" ] && printf '%s\n' "$described"
}

# Whether the containers that Docker starts again are running; sets lost (names). kubelet recreates its own. live-restore
# holds for all containers or none: if one kept running, another one that is missing ended on its own. 2 means that a
# container was stopped in spite of it.
are_workloads_back() {
  [ -s "$T/workloads.before" ] || return 0
  # The other facts are only needed if they are compared.
  if [ -n "$live_restore" ]; then look=list_containers; else look=list_identities; fi
  running=$newline$("$look" --filter status=running --filter status=restarting)$newline ||
    { fail docker-silent "dockerd does not list its containers"; return 1; }
  lost='' awaited='' stopped='' kept=0
  while read -r identity policy kubernetes name started restarts; do
    name=${name#/}
    case $running in
      *"$newline$identity"*)
        if [ -z "$live_restore" ]; then continue; fi
        if runs_on; then kept=$((kept + 1)); else stopped="$stopped${stopped:+ }$name"; fi
        continue
        ;;
    esac
    [ "$kubernetes" = no ] || continue
    case $name in k8s_*) continue ;; esac
    lost="$lost${lost:+ }$name"
    case $policy in always | unless-stopped) awaited="$awaited${awaited:+ }$name" ;; esac
  done <"$T/workloads.before"
  [ -z "$live_restore" ] || [ "$kept" -gt 0 ] || awaited=$lost
  [ -z "$stopped" ] || { fail containers-not-running "restarted in spite of live-restore: $stopped" || return 2; }
  [ -z "$awaited" ] || { fail containers-not-running "not running again: $awaited"; return 1; }
}

# Whether it is the same run of the container. Docker counts its own restarts of containers that ended.
runs_on() {
  found=${running#*"$newline$identity "}
  found=${found%%"$newline"*}
  counted=${found##* }
  found=${found% *}
  [ "${found##* }" = "$started" ] || [ "$counted" -gt "$restarts" ]
}

# dockerd answers for itself, and kubelet's node is read through the API server.
is_node_healthy() {
  :
}
