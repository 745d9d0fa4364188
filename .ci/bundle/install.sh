#!/bin/sh
# Installs harbor-agent from this bundle alone, into a virtual environment of its own: ./install.sh [FOLDER]
set -eu

bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=${1:-/opt/harbor-agent}
python=${PYTHON:-python@VERSION@}

fail() {
	printf 'install.sh: %s\n' "$*" >&2
	exit 1
}

command -v "$python" >/dev/null 2>&1 || python=python3
found=$("$python" -c 'import platform, sys; print("%d.%d %s" % (*sys.version_info[:2], platform.machine()))') ||
	fail 'there is no Python here: install @PYTHON@, or name it: PYTHON=/path/to/python ./install.sh'
[ "$found" = '@VERSION@ @MACHINE@' ] ||
	fail "this bundle is for @PYTHON@ on @MACHINE@, and $python is $found: make one there with 'make bundle'"
(cd "$bundle" && sha256sum --check --quiet SHA256SUMS) || fail 'the bundle is damaged; copy it again'

"$python" -m venv "$folder" || fail "no virtual environment: install Debian's python3-venv or what is like it"
# Nothing but the bundle counts: no index, no settings of pip's, no other folder of wheels.
PIP_CONFIG_FILE=/dev/null "$folder/bin/python" -m pip --isolated --disable-pip-version-check install --quiet \
	--no-index --find-links "$bundle/wheels" 'harbor-node-agent[ansible]==@RELEASE@'
"$folder/bin/harbor-agent" --version
printf 'installed: %s\n' "$folder/bin/harbor-agent"
