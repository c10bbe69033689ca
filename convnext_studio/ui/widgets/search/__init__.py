"""Searching by a few typed letters, and the fields that complete what is typed."""
