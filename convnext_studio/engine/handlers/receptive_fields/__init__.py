"""Handlers for receptive fields: of one unit, averaged over pictures, through depth, from a file."""
