"""harbor-node-agent: make the nodes of a cluster trust a plain-HTTP Harbor, and prove it."""

__version__ = "0.1.0"
