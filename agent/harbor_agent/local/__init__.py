"""This machine: files below a root, systemd, terminal, user, clock, resolver, proxy settings."""
