"""Modules that every part of the program may use. They import no other package of the program."""
