# shellcheck shell=sh disable=SC2034,SC2154
# How podman is run, and asked what it reads in its files. Functions only; part of several programs.

# run_podman SECONDS WORD…: as root in its own home. What a login shell set about files of registries is of that shell only.
run_podman() {
  limit=$1
  shift
  env -u CONTAINERS_REGISTRIES_CONF -u REGISTRIES_CONFIG_PATH -u XDG_CONFIG_HOME -u REGISTRY_AUTH_FILE \
    HOME=/root PODMAN_IGNORE_CGROUPSV1_WARNING=yes timeout -k 2 "$limit" podman "$@"
}

# The registries as podman reads them in its files: one JSON object. It fails, with the reason, if it rejects a file.
print_registries() {
  run_podman 20 info --format '{{json .Registries}}'
}
