"""SSH connections with paramiko, set up as OpenSSH would set them up."""
