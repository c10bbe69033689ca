"""Starting the program: from the command line to a running window."""
