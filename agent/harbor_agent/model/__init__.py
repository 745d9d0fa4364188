"""Frozen values that every room shares; invariants only."""
