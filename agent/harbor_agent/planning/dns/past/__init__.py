"""Earlier changes of the cluster's DNS: rolled back, and compared with what is there now."""
