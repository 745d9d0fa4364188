"""Programs carried to nodes by Ansible: its connection and become plugins, its settings, our programs."""
