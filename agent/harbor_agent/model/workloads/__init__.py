"""Workloads: their pod templates, and which kinds have some."""
