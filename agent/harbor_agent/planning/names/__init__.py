"""Registry names that a node resolves by its /etc/hosts."""
