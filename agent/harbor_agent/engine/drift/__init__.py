"""Detects drift, corrects it, and reports both as metrics."""
