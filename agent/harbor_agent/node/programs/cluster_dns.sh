# shellcheck shell=sh disable=SC2154
# The addresses that kubelet gives its pods as DNS servers, and those that pods with the node's own DNS get (dnsPolicy
# Default, as CoreDNS has it), read-only, as one framed document (decoded by agent/harbor_agent/node/wire/cluster_dns.py).
# kubelet.sh precedes this text.

report_cluster_dns() {
  kubelet=$(find_kubelet)
  [ -n "$kubelet" ] || return 0
  # RKE 1 runs kubelet in a container, whose paths are its own.
  root=/proc/$kubelet/root
  [ -r "$root/" ] || root=
  printf 'kubelet %s\n' "$kubelet"
  list_option "$kubelet" --cluster-dns | print_encoded flag
  list_configured_lines clusterDNS | print_encoded configured
  resolv_conf=$(list_option "$kubelet" --resolv-conf | tail -n 1)
  if [ -z "$resolv_conf" ]; then
    resolv_conf=$(list_configured_lines resolvConf | sed -n 's/.*resolvConf[^:]*:[[:space:]"'"'"']*\([^[:space:]"'"'"',}]*\).*/\1/p' | tail -n 1)
  fi
  sed -n 's/^nameserver[[:space:]][[:space:]]*//p' "$root${resolv_conf:-/etc/resolv.conf}" | print_encoded nameservers
}

# The lines about a setting in the file of --config, then in the drop-ins of --config-dir and of k3s.
list_configured_lines() {
  file=$(list_option "$kubelet" --config | tail -n 1)
  folder=$(list_option "$kubelet" --config-dir | tail -n 1)
  for one in ${file:+"$root$file"} ${folder:+"$root$folder"/*.conf} \
    "$root"/var/lib/rancher/k3s/agent/etc/kubelet.conf.d/*.conf; do
    # A list of more servers than resolv.conf takes is not read to its end.
    grep -A 8 -E "^[^#]*$1[\"]?[[:space:]]*:" "$one" && echo --
  done
}

print_encoded() {
  printf 'block %s\n' "$1"
  base64
  printf '.\n'
}

main() {
  LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/bin
  export LC_ALL PATH
  exec 2>/dev/null </dev/null
  printf '\nharbor-agent/cluster-dns/1 begin\n'
  note_processes
  report_cluster_dns
  printf 'harbor-agent/cluster-dns/1 end\n'
}

main "$@"
