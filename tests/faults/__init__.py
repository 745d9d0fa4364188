"""Tests that share one lab, which is taken down behind the last of them."""
