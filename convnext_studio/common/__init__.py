"""What every part of the program may use: errors, files, geometry, paths. It imports no other package."""
