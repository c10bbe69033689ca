"""What is read from files of others, which may hold anything: limits on it, and safe ways to read it."""
