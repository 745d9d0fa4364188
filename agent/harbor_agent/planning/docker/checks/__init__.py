"""The rules by which dockerd refuses to start with an entry or a configuration file."""
