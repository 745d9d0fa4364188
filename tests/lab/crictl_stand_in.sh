#!/bin/sh
# A stand-in for crictl on a node whose CRI-O is the one of crio_stand_in.sh: `pull`, `inspecti` and `rmi` of one image, by
# podman, with the files that the daemon has read last. The login is in CRICTL_CREDS, as crictl takes it.
for word; do last=$word; done
case " $* " in
  *' inspecti '*) exec podman image exists "$last" ;;
  *' rmi '*) exec podman image rm "$last" ;;
esac
login=${CRICTL_CREDS:-}
# shellcheck disable=SC2016 # for the inner shell
exec unshare --mount sh -c 'mount --bind /run/crio-stand-in/containers /etc/containers && exec podman pull -q ${1:+--creds "$1"} "$0"' "$last" "$login"
