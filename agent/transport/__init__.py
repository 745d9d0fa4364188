"""Carries bytes to nodes and back; decides nothing."""
