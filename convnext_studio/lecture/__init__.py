"""A lecture as data: chapters of steps, read from Markdown files. Needs neither Qt nor torch."""
