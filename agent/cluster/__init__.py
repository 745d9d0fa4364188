"""The world outside the nodes: Kubernetes, and the HTTP registry protocol."""
