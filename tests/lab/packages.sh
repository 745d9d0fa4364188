#!/bin/sh
# Install what the lab needs and is not there yet. Nothing that is installed here starts to listen:
# docker-registry and sshd are run by the lab itself, inside its own network.
set -eu

packages="busybox chromium dnsmasq-base docker-registry faketime fish golang-go gpg groff-base iproute2 iptables mmdebstrap openssh-client openssh-server prometheus shellcheck systemd-container tcsh zsh"
missing=
for package in $packages; do
	dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
command -v kubectl >/dev/null || missing="$missing kubernetes-client"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
parser=${0%/*}/corefile_parser.sh
[ -n "$missing" ] || exec "$parser"

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "lab packages:$missing are missing; installing them needs root and apt-get" >&2
	exit 1
fi
echo "lab packages: installing$missing" >&2

policy=/usr/sbin/policy-rc.d # see invoke-rc.d(8): 101 forbids to start a service
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
apt-get update -q
# shellcheck disable=SC2086 # a list of words
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
for package in $missing; do
	case $package in
	docker-registry | prometheus) systemctl disable --quiet "$package.service" || true ;;
	openssh-server) systemctl disable --quiet ssh.service || true ;;
	esac
done
"$parser"
