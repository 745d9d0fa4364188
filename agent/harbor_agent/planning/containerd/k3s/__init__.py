"""Planning for k3s and RKE2: containerd whose configuration they write from registries.yaml at each start."""
