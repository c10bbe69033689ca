"""The panel that opens a second network and compares it with the first."""
