"""The panel "Similarity": what the positions of a map have in common."""
