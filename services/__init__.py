"""One folder per service, one grammar. Imports libs and contracts, never another service."""
