"""The terminal and its streams: sizes, colors, and lines that stay at the bottom."""
