"""The metrics of a drift run, as a file for the textfile collector of the Prometheus node exporter."""
