"""Logging in: keys, agents, passwords, keyboard-interactive."""
