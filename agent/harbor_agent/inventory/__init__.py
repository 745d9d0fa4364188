"""From Ansible inventories and KubeKey files to nodes; connects to nothing."""
