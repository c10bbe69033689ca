"""The live views of a lecture: shared modules, and one folder for each chapter."""
