"""The only room that sequences effects: observe, plan, apply, verify."""
