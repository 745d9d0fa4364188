"""Whether a node can reach the registry: name resolution, answer, proxy."""
