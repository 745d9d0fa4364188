"""Tests that share two nodes and a registry over HTTPS."""
