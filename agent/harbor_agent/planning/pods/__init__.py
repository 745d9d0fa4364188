"""Pods that prove a pull: their manifest, and what their state proves."""
