"""Pods: those that prove a pull, those that wait for an image, and those without the secret."""
