"""The command line: `main` finds the command, and each command's file holds its options and what it does."""
