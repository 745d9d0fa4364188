"""Proof that nodes pull an image: by their runtime alone, or by pods through kubelet."""
