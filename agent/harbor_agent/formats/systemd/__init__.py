"""Unit files, drop-ins, environment files and command lines as systemd reads them."""
