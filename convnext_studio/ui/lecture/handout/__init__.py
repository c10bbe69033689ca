"""Save the lecture as a PDF or HTML document."""
