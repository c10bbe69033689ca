"""What the views draw with pyqtgraph: the canvas of an image view, the axes of a plot, and their items."""
