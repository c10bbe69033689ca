"""What is open and what is selected: the parts of the state that all panels share."""
