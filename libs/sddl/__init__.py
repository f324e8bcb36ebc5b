"""SDDL, the language in which the HST archive and pipelines describe their relations, and what tables make of it."""
