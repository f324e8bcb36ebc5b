"""One module per step. A published step never changes."""
