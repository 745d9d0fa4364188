"""SSH connections with paramiko, made the way OpenSSH would make them."""
