"""Where a connection goes and how: ssh_config, ssh arguments, jump hosts."""
