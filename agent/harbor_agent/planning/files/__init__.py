"""Edits tried on a copy of the node's files, and shown as diffs."""
