"""`python -m rlscout_verify FILE`"""

import sys

from rlscout_verify.cli import main

sys.exit(main())
