from convnext_studio.explorer import Explorer as Explorer

__version__: str
