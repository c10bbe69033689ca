"""The window. It imports no torch; each package may import only those below it."""
