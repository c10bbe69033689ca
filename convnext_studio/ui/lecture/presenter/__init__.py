"""The full-screen presenter of a lecture and the windows around it."""
