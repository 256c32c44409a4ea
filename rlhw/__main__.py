"""`python -m rlhw`, for launchers that start modules: `accelerate launch -m rlhw train …`."""

import sys

from rlhw.cli import main

if __name__ == "__main__":
    sys.exit(main())
