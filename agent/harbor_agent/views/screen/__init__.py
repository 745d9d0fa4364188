"""Printed text fitted to a terminal: wrapped, changed words marked, diffs side by side."""
