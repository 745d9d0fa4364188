"""Workloads: their pod templates, which kinds have some, and pods as kubelet reports them."""
