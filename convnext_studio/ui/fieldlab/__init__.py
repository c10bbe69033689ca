"""The receptive-field lab: several subjects' fields side by side, their curves, and their growth with depth."""
