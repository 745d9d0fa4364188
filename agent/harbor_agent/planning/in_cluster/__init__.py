"""A scheduled drift check as objects of Kubernetes, and the rights that it needs there."""
