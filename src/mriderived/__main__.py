"""``python -m mriderived``."""

import sys

from mriderived.cli import main

if __name__ == '__main__':
    sys.exit(main())
