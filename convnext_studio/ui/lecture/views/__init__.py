"""The live views of a lecture: what they share, and a folder for each chapter."""
