"""The only room that sequences effects."""
