"""Paint and write how a value of the network was made."""
