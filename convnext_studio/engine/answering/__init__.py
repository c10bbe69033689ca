"""Answers to the requests, one topic a file.

Each function takes the bench, a request, and a question that is asked between its steps: whether to stop. It
is a generator of progress that returns the answer, or, where it is over at once, gives the answer.
"""
