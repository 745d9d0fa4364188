"""Faults of nodes whose runtime is containerd; they share one lab."""
