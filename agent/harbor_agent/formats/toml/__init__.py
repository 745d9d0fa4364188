"""TOML files, and edits that keep everything else byte for byte."""
