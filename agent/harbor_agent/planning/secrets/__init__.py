"""Which pull secrets the cluster should hold, and which ones workloads keep."""
