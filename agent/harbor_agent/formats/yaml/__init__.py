"""YAML and JSON documents edited by position."""
