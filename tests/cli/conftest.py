"""Makes the helpers beside these tests, and those of networks, importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "networks"))
sys.path.insert(0, str(Path(__file__).parent))
