"""A lecture as data: chapters of steps, read from Markdown files. No Qt and no torch."""
