"""The locks of a run: that of its inventory on this controller, and that of its cluster."""
