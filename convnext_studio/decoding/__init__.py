"""Decode picture files in a separate process, so that a bug in a decoder does no harm. Needs no torch."""
