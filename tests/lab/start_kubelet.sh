#!/bin/sh
# start_kubelet.sh RUNTIME NAME ADDRESS    on a node, as root: kubelet as a service of systemd.
# The node has /usr/local/bin/kubelet, /etc/kubernetes/kubelet.kubeconfig and the image of pause already.
set -eu
runtime=$1 name=$2 address=$3
mkdir -p /var/lib/kubelet /usr/local/lib/lab

# What a container lacks, at each start of the unit: a reboot makes /proc and /dev again.
cat >/usr/local/lib/lab/kubelet-prepare <<'END'
#!/bin/sh
# kubelet reads the kernel's messages for OOM kills and does not start without the file
[ -e /dev/kmsg ] || ln -s /dev/null /dev/kmsg
# kubelet sets these and does not start if it cannot: /proc/sys is read-only here, and the kernel is the host's.
# So it finds the values that it wants, in files that lie over them in this node alone.
mkdir -p /run/lab-sysctl
for each in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
	kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
	path=/proc/sys/${each%=*} value=${each#*=}
	[ "$(cat "$path")" != "$value" ] || continue
	file=/run/lab-sysctl/$(echo "${each%=*}" | tr / -)
	echo "$value" >"$file"
	mount --bind "$file" "$path"
done
END

# kubelet does not start with another driver than dockerd's, which Kubespray sets.
driver=cgroupfs
[ "$runtime" != docker ] || driver=$(docker info --format '{{.CgroupDriver}}')
# No groups for pods: on cgroup v1 kubelet removes groups that it does not know, and the disk that may be full is the host's.
cat >/etc/kubernetes/kubelet.yaml <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}, x509: {}}
authorization: {mode: AlwaysAllow}
cgroupDriver: $driver
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 2s
nodeStatusReportFrequency: 10s
nodeLeaseDurationSeconds: 10
syncFrequency: 5s
resolvConf: /etc/kubernetes/resolv.conf
registryPullQPS: 0
eventRecordQPS: 0
END
: >/etc/kubernetes/resolv.conf

case $runtime in
docker)
	# no CNI: pods are on docker0
	flags="--container-runtime=docker --network-plugin= --pod-infra-container-image=lab.invalid/pause:1"
	;;
containerd)
	flags="--container-runtime=remote --container-runtime-endpoint=unix:///run/containerd/containerd.sock"
	mkdir -p /etc/cni/net.d
	cat >/etc/cni/net.d/10-lab.conflist <<END
{"cniVersion": "0.4.0", "name": "lab", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.${address##*.}.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
	;;
*)
	echo "docker or containerd" >&2
	exit 2
	;;
esac

# Docker's pods need the wrapper as well, which the shapes with containerd have (shapes.py).
if ! (echo -1 >/proc/self/oom_score_adj) 2>/dev/null && [ ! -e /usr/local/sbin/runc ]; then
	cat >/usr/local/sbin/runc <<'END'
#!/bin/sh
bundle=. previous=
for word; do
  case $previous in --bundle | -b) bundle=$word ;; esac
  previous=$word
done
[ ! -f "$bundle/config.json" ] || sed -i 's/"oomScoreAdj":-[0-9][0-9]*/"oomScoreAdj":0/' "$bundle/config.json"
exec /usr/sbin/runc "$@"
END
	chmod 755 /usr/local/sbin/runc
fi

# Without the variable kubelet asks Amazon's metadata service first, and starts six seconds later.
cat >/etc/systemd/system/kubelet.service <<END
[Unit]
Description=kubelet
After=$runtime.service
[Service]
Environment=AWS_EC2_METADATA_DISABLED=true
ExecStartPre=/bin/sh /usr/local/lib/lab/kubelet-prepare
ExecStart=/usr/local/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.kubeconfig --config=/etc/kubernetes/kubelet.yaml --hostname-override=$name --node-ip=$address $flags
Restart=always
RestartSec=2
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --quiet kubelet
systemctl restart kubelet
