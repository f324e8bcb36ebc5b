"""The `chasqui` command line: one module per command."""
