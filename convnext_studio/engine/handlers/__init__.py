"""The functions that answer requests, a file for each topic.

Each takes the workspace, a request, and a function that says whether to stop, which it calls between its steps.
It is a generator of progress that returns the answer, or returns the answer directly where it takes one step.
"""
