"""Installs, shows and removes scheduled drift checks on this machine."""
