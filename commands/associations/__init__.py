"""``chasqui association …``: exposures that are made into products together."""
