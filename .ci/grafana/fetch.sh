#!/bin/sh
# Install TypeScript and the types of Grafana's dashboards from npm into .grafana, once, and print where they are.
set -eu
cd "$(dirname "$0")/../.."
folder=.grafana
packages='typescript@5.9.3 @grafana/schema@10.4.19'
if [ "$(cat "$folder/packages" 2>/dev/null)" != "$packages" ]; then
	mkdir -p "$folder"
	echo '{"private": true}' >"$folder/package.json"
	# shellcheck disable=SC2086 # a word for each package
	npm install --prefix "$folder" --silent --no-package-lock --no-audit --no-fund --ignore-scripts $packages
	echo "$packages" >"$folder/packages"
fi
echo "$folder/node_modules"
