"""The command line: `main` parses, and each command has a file."""
