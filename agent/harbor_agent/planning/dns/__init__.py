"""Registry names for pods and nodes: Corefile and /etc/hosts edits."""
