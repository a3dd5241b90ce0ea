"""`python -m rlscout` is the command `rlscout`."""

from rlscout.cli import main

main()
