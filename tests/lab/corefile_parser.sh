#!/bin/sh
# Fetch CoreDNS's own Corefile parser, which tests compare with: Debian's package of it, which is in sid only, and is
# unpacked into the lab's cache. The package's lists and files stay in a scratch folder; apt's own sources do not change.
set -eu

name=golang-github-coredns-caddy-dev
target=${HARBOR_AGENT_LAB_CACHE:-/var/cache/harbor-agent-lab}/corefile-parser
[ ! -d "$target" ] || exit 0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$scratch"
mkdir -p "$scratch/lists/partial" "$scratch/archives/partial"
# shellcheck disable=SC2016 # these are placeholders of apt-get
sites=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages')
mirror=${HARBOR_AGENT_LAB_MIRROR:-$(echo "$sites" | sed -n 's/^Debian //p' | sed -n 1p)}
[ -n "$mirror" ] || { echo "corefile-parser: no Debian mirror in apt's sources" >&2; exit 1; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$scratch/sid.list"
sid() {
	apt-get -q -o Dir::Etc::sourcelist="$scratch/sid.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$scratch/lists" \
		-o Dir::Cache="$scratch" -o Acquire::Languages=none "$@"
}
cd "$scratch"
sid update
sid download "$name"
dpkg-deb --extract "$name"_*.deb unpacked
mkdir -p "${target%/*}"
chmod -R go+rX unpacked
mv unpacked/usr/share/gocode "$target"
