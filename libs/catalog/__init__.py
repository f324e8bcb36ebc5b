"""The catalog file: read, checked against what is registered, compared with it, and told as events."""
