"""Tests that share one controller with a timer."""
