"""The same programs through Ansible's connection and become plugins."""
