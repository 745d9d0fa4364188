"""registries.conf of containers/image, which CRI-O and podman read: parsed, and edited byte by byte."""
