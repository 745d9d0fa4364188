"""Planning for CRI-O and podman, which both read registries.conf with the library containers/image."""
