"""``python -m convnext_studio``."""

import sys

from convnext_studio.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
