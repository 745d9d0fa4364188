"""Carries plans to nodes: waves, transactions, verification, rollback, resume."""
