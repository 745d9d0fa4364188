"""containerd's configuration file and the hosts.toml of a registry, and edits that keep everything else."""
