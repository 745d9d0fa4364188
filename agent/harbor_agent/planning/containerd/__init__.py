"""containerd's CRI plugin: what is in effect, where an entry goes, what a change costs."""
