"""dockerd's command line and daemon.json."""
