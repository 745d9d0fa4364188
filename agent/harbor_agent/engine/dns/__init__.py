"""Registry names in the cluster's DNS: advice, and Corefile edits."""
