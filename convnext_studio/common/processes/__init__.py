"""What the processes of the program have in common: how they start, and the messages between them."""
