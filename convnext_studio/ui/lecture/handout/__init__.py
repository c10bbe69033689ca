"""The lecture as a document, in PDF or HTML."""
