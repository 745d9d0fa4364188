"""Edits of containerd's files: a registry added, removed, or moved from mirrors to directories."""
