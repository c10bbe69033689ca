"""The receptive-field lab, which compares networks."""
