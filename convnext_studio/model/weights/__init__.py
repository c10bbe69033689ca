"""Read, recognise, convert and save weights files."""
