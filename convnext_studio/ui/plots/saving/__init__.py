"""Copy, save and drag out what a view shows."""
