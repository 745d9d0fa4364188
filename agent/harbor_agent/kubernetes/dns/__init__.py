"""The cluster's DNS servers and their ConfigMaps: found, read, patched, and asked for their metrics."""
