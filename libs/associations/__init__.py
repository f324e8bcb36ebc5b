"""Associations: deciding what becomes of them (pure), and saying it so that nobody else decides it, too."""
