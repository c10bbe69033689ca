"""What the computer has to compute with, and how much memory a network takes there."""
