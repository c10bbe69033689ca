"""The engine process: its main loop, the scheduling of requests, and its models, pictures and caches."""
