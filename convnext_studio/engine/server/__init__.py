"""The engine process: its loop, the order of work, and the models, pictures and results that it keeps."""
