#!/bin/sh
# A stand-in for k0s, which no package source of the tests has: as its documentation says (docs/runtime.md), a worker starts
# containerd and kubelet as its children, with a configuration that it makes again at each start. kubelet does nothing but
# name its runtime. Arguments: worker, or ctr and what the real ctr takes.
bin=/var/lib/k0s/bin

[ "$1" != ctr ] || { shift && exec /usr/local/lib/k0s/ctr "$@"; }
mkdir -p /run/k0s
cat /etc/k0s/containerd.d/*.toml >/run/k0s/containerd-cri.toml
setpriv --pdeathsig TERM "$bin/containerd" --root=/var/lib/k0s/containerd --state=/run/k0s/containerd --address=/run/k0s/containerd.sock \
	--config=/etc/k0s/containerd.toml &
[ -p /run/k0s/nothing ] || mkfifo /run/k0s/nothing
setpriv --pdeathsig TERM "$bin/kubelet" -c 'while :; do read -r -t 1000 _ <>/run/k0s/nothing; done' \
	kubelet --container-runtime-endpoint=unix:///run/k0s/containerd.sock &
wait
