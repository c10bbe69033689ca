"""The process that owns torch, and the client that talks to it."""
