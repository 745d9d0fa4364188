"""Flags become a request, the engine does the work, a view is printed."""
