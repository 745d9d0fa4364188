"""Kubernetes API objects through lightkube: read, write, dry-run; decides nothing."""
