"""Registry names for pods: Corefile edits."""
