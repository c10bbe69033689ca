"""The command line: `main` finds the command, and each command's module has its options and its work."""
