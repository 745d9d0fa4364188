"""Programs run on nodes through Ansible's connection and become plugins."""
