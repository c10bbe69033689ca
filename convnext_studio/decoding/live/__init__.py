"""Frames of films, animated pictures and cameras, read in a child process."""
