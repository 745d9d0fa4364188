"""Pull secrets of workloads, in manifests and in the cluster."""
