"""pathloop: segment, correct and retrain on H&E whole-slide images.

Import what you need from the rooms, for example ``from pathloop.slides import open_slide``.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
