"""``python -m convsym``."""

import sys

from convsym.cli import main

if __name__ == "__main__":
    sys.exit(main())
