"""Encodes programs for a node and decodes what they print, one module per schema."""
