"""The lecture: its presenter, its live views, and the hand-out."""
