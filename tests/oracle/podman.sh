#!/bin/sh
# Runs podman over many sets of files. Arguments: ROOT CASES COUNT; tests/oracle/podman.py starts it, in namespaces of its own.
set -eu
here=$2/.root
mkdir "$here"
mount -t tmpfs tmpfs "$here"
mkdir "$here/upper" "$here/work" "$here/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$here/upper,workdir=$here/work" "$here/root"
mkdir -p "$here/root/cases" "$here/root/etc/containers" "$here/root/root/.config/containers"
mount --bind "$2" "$here/root/cases"
mount -t proc proc "$here/root/proc"
mount --rbind /dev "$here/root/dev"
mount --rbind /sys "$here/root/sys"
for folder in run tmp var/lib; do mount -t tmpfs tmpfs "$here/root/$folder"; done

cat >"$here/root/one" <<'END'
case=/cases/$1
mount --bind "$case/etc" /etc/containers
mount --bind "$case/home" /root/.config/containers
export PODMAN_IGNORE_CGROUPSV1_WARNING=yes
podman info --format '{{json .Registries}}' >"$case/info" 2>"$case/error"
# shellcheck disable=SC2046 # a word for each image
timeout 60 podman pull -q $(cat "$case/images") >"$case/pulls" 2>&1
END
seq 0 $(($3 - 1)) | xargs -P 2 -n 1 chroot "$here/root" unshare --mount sh /one || :
