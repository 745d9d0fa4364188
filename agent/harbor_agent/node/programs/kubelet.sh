# shellcheck shell=sh
# The kubelet, and the sockets through which it may reach a container runtime: facts only (decoded by
# agent/harbor_agent/node/wire/kubelet.py). A kubelet that does not run is known by the files of its unit. Functions only;
# part of several programs.

report_kubelet() {
  study_kubelet || return 0
  list_words "$kubelet" | tr '\n' '\0' | print_block 'kubelet argv'
  [ -n "$given" ] || printf '%s\n' "$version" | print_block 'kubelet version'
  printf '%s\n' "$configured" | print_block 'kubelet configured'
  [ -z "$endpoint" ] || print_health_address | print_block 'kubelet health'
  login_files=$(list_login_files)
  printf '%s\n' "$login_files" | print_block 'kubelet login-files'
  shims=$(for shim in $(find_processes cri-dockerd); do list_endpoints "$shim"; done)
  printf '%s\n' "$shims" | print_block 'kubelet shims'
  for path in $given $configured $shims /run/dockershim.sock /run/cri-dockerd.sock \
    /run/containerd/containerd.sock /run/crio/crio.sock /run/k3s/containerd/containerd.sock /run/k3s/cri-dockerd/cri-dockerd.sock; do
    path=${path#unix://}
    identity=$(stat -L -c %d:%i -- "$root$path" || stat -L -c %d:%i -- "$path") || continue
    printf 'socket %s %s\n' "$identity" "$path"
  done
}

# The files in which kubelet looks for logins, in its order (pkg/credentialprovider/config.go); none if its root is not the
# node's.
list_login_files() {
  home='' work=''
  if [ "$kubelet" != stopped ]; then
    [ "$(stat -L -c %d:%i "/proc/$kubelet/root/")" = "$(stat -L -c %d:%i /)" ] || return 0
    home=$(tr '\0' '\n' <"/proc/$kubelet/environ" | sed -n 's/^HOME=//p')
    work=$(readlink "/proc/$kubelet/cwd")
  fi
  base=$(list_option "$kubelet" --root-dir | tail -n 1)
  for names in config.json:.docker/config.json .dockercfg:.dockercfg; do
    printf '%s\n' "${base:-/var/lib/kubelet}/${names%:*}" "${work%/}/${names%:*}" "${home%/}/${names#*:}" "/${names#*:}"
  done
}

# Sets kubelet, its PID, and endpoint, the path of the socket that it uses; empty if there is none or it is Docker's. Also
# sets given and configured, the endpoints as they are written, version, if none is given, and root.
study_kubelet() {
  endpoint='' version=''
  kubelet=$(find_kubelet)
  if [ -z "$kubelet" ]; then
    stopped_words=$(describe_stopped_kubelet)
    [ -n "$stopped_words" ] || return 1
    kubelet=stopped
  fi
  find_root
  given=$(list_endpoints "$kubelet")
  [ -n "$given" ] || version=$(timeout 5 "$(find_kubelet_binary)" --version)
  configured=$(list_configured containerRuntimeEndpoint)
  find_endpoint
}

# Sets root: RKE 1 runs kubelet in a container, whose paths are its own.
find_root() {
  root=/proc/$kubelet/root
  [ -r "$root/" ] || root=
}

# Where kubelet answers for its health, as HOST:PORT; nothing if it does not (port 0). Options count more than files.
print_health_address() {
  port=$({ list_configured healthzPort; list_option "$kubelet" --healthz-port; } | grep . | tail -n 1)
  host=$({ list_configured healthzBindAddress; list_option "$kubelet" --healthz-bind-address; } | grep . | tail -n 1)
  case $host in '' | 0.0.0.0) host=127.0.0.1 ;; ::) host='[::1]' ;; *:*) host="[$host]" ;; esac
  [ "$port" = 0 ] || printf '%s:%s\n' "$host" "${port:-10248}"
}

# The words with which the unit would start a kubelet that does not run, one per line: its command, and its environment files
# (kubeadm-flags.env, Kubespray's kubelet.env). Nothing if no file names an endpoint: a package alone says nothing.
describe_stopped_kubelet() {
  [ -d /var/lib/kubelet ] || [ -d /etc/kubernetes ] || return 0
  facts=$(systemctl show kubelet.service -p LoadState,ExecStart,Environment,EnvironmentFiles)
  case $facts in *LoadState=loaded*) ;; *) return 0 ;; esac
  # shellcheck disable=SC2046 # one word each
  stopped_words=$(
    printf '%s\n' "$facts" | sed -n -e 's/^ExecStart=.*argv\[\]=\(.*\) ; ignore_errors=.*/\1/p' -e 's/^Environment=//p'
    cat /var/lib/kubelet/kubeadm-flags.env $(printf '%s\n' "$facts" | sed -n 's/^EnvironmentFiles=\(\/[^ ]*\).*/\1/p') |
      grep -v '^[[:space:]]*#'
  )
  stopped_words=$(
    echo kubelet
    printf '%s\n' "$stopped_words" | sed "s/[ \"']/\\n/g" | sed -e 's/^[A-Z_]*=//' -e '/^\$/d' -e '/^$/d'
    case $stopped_words in *--config[=\ ]*) ;; *) echo --config=/var/lib/kubelet/config.yaml ;; esac
  )
  kubelet=stopped
  [ -z "$(list_endpoints stopped)$(list_configured containerRuntimeEndpoint)" ] || printf '%s\n' "$stopped_words"
}

# As planning/kubelet.py, which decides; here it only spares a node the questions about a runtime that does not count.
find_endpoint() {
  endpoint=$(printf '%s\n%s\n' "$configured" "$given" | grep . | tail -n 1)
  endpoint=${endpoint#unix://}
  case "$(list_words "$kubelet" | tr '\n' ' ') " in
    *'--container-runtime=docker '* | *'--container-runtime docker '*) endpoint='' ;;
    *k3s*) [ -n "$endpoint" ] || [ ! -S /run/k3s/containerd/containerd.sock ] || endpoint=/run/k3s/containerd/containerd.sock ;;
    *'--container-runtime=remote '* | *'--container-runtime remote '*) endpoint=${endpoint:-/run/containerd/containerd.sock} ;;
    *) [ -n "$given" ] || has_dockershim || endpoint=${endpoint:-/run/containerd/containerd.sock} ;;
  esac
}

# Kubernetes 1.24 and later have none. An unknown version counts as an older one.
has_dockershim() {
  minor=${version#*v1.}
  minor=${minor%%.*}
  case $minor in '' | *[!0-9]*) return 0 ;; esac
  [ "$minor" -lt 24 ] && endpoint=''
}

find_kubelet() {
  for candidate in $(find_processes 'kubelet|kubelite|hyperkube|k3s-server|k3s-agent'); do
    # hyperkube is each component of Kubernetes, by its first word.
    if [ "$(cat "/proc/$candidate/comm")" = hyperkube ]; then
      list_words "$candidate" | grep -qx kubelet || continue
    fi
    printf '%s\n' "$candidate" && return 0
  done
}

# The processes that matter to any part of the probe, because /proc may have thousands.
note_processes() {
  noted=$(grep -HsxE 'kubelet|kubelite|hyperkube|k3s-server|k3s-agent|rke2|cri-dockerd|containerd|crio|dockerd.*|docker-current|docker-latest|docker-ce' \
    /proc/[0-9]*/comm)
}

# Process IDs by their names, an extended regular expression; those of nested nodes (kind, dind) have a PID namespace of
# their own. /proc/PID/ns is for root; NSpid is for every user, and has a number for each namespace (Linux 4.1).
find_processes() {
  own=$(readlink /proc/1/ns/pid)
  printf '%s\n' "$noted" | grep -E ":($1)\$" | while read -r found; do
    found=${found#/proc/} found=${found%%/comm:*}
    space=$(readlink "/proc/$found/ns/pid")
    if [ -n "$own" ] && [ -n "$space" ]; then
      [ "$space" = "$own" ] || continue
    else
      case $(sed -n 's/^NSpid:[[:space:]]*//p' "/proc/$found/status") in *[!0-9]*) continue ;; esac
    fi
    printf '%s\n' "$found"
  done
}

list_words() {
  if [ "$1" = stopped ]; then
    printf '%s\n' "$stopped_words"
  else
    tr '\0' '\n' <"/proc/$1/cmdline"
    list_words_of_kubelite "$1"
  fi
}

# kubelite of MicroK8s is kubelet too, and has the options of that in a file, where snapd's variables stand for folders.
list_words_of_kubelite() {
  read -r name <"/proc/$1/comm" && [ "$name" = kubelite ] || return 0
  folders=$(tr '\0' '\n' <"/proc/$1/environ" | sed -En 's,^(SNAP|SNAP_DATA|SNAP_COMMON)=(/.*),s|${\1}|\2|g,p')
  options=$(tr '\0' '\n' <"/proc/$1/cmdline" | sed -n 's/^--kubelet-args-file=//p')
  sed -e '/^--/!d' -e 's/"//g' -e "$folders" -- "$options" | tr ' ' '\n'
}

# The values of --container-runtime-endpoint, with "=" or as the next word.
list_endpoints() {
  list_option "$1" --container-runtime-endpoint
}

list_option() {
  list_words "$1" | sed -n -e "s/^$2=//p" -e "/^$2\$/{n;p;}"
}

# A stand-in or a wrapper has another program than its name says.
find_kubelet_binary() {
  case $(readlink "/proc/$kubelet/exe") in
    */kubelet | */hyperkube | */k3s) printf '%s' "/proc/$kubelet/exe" ;;
    *) command -v kubelet || echo false ;;
  esac
}

# list_configured KEY: its values in the file of --config, then in the drop-ins of --config-dir; the last one is used.
list_configured() {
  file=$(list_option "$kubelet" --config | tail -n 1)
  folder=$(list_option "$kubelet" --config-dir | tail -n 1)
  {
    # kubeadm 1.34 and later write what is the node's own into a file beside (instance-config.yaml).
    [ "$kubelet" != stopped ] || cat /var/lib/kubelet/instance-config.yaml
    [ -z "$file" ] || cat "$root$file"
    [ -z "$folder" ] || for drop_in in "$root$folder"/*.conf; do cat "$drop_in"; done
  } | sed -n -e '/^[[:space:]]*#/d' \
    -e 's/^\(.*[{,]\)\{0,1\}[[:space:]]*"\{0,1\}'"$1"'"\{0,1\}[[:space:]]*:[[:space:]]*//p' |
    sed -e "s/^[\"']//" -e "s/[\"',}[:space:]#].*//"
}
