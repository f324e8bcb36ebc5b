"""The words of the command line: one module a group of commands, which only parses and calls one function."""
