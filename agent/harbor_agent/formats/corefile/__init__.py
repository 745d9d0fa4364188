"""CoreDNS's Corefile and its imports, by position."""
