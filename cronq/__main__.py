"""`python -m cronq`, which is how consumers are started."""

import sys

from cronq.cli.entry import main

sys.exit(main())
