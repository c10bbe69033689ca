"""The functions that answer requests, one module for each topic.

Each takes the workspace, a request, and a function that says whether to stop, which it calls between its steps.
It is a generator that yields progress and returns the answer, or, if it takes only one step, a plain function.
"""
