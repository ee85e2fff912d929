"""``python -m cxrbench`` is the command ``cxrbench``."""

from cxrbench.cli import main

main()
