"""Waves, failure budgets, approval and restart consent. Pure arithmetic."""
