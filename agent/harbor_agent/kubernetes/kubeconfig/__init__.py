"""Kubeconfigs as kubectl takes them: found, merged, checked key by key, and made into connections."""
