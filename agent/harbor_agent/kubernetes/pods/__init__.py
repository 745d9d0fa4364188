"""Pods: those that prove a pull, those that wait for an image, those without the secret, and one that is diagnosed."""
