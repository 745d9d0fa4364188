"""Carries programs to nodes and their output back; decides nothing."""
