"""Mutates the files and frames that the program reads: ``python -m tests.fuzz --count 20000 --seed 1``.

Each case is read in a child process, and must end with what was read or with one sentence: within 5 s of the
processor's time, within 2 GB, without a traceback and without a crash.
"""
