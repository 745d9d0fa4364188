"""Pull secrets in the cluster: plan on the server, apply, remove."""
