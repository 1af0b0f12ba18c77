"""python -m scenebrush."""

import sys

from scenebrush.cli import main

sys.exit(main())
