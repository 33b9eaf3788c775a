"""`python -m cronq`, which is how consumers are started."""

from cronq.cli.entry import main

main()
