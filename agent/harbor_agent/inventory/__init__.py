"""From Ansible inventories and installers' files to nodes; connects to nothing."""
