"""``python -m pathloop.worker``."""

from pathloop.worker import main

if __name__ == "__main__":
    raise SystemExit(main())
