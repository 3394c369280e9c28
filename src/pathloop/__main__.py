"""``python -m pathloop`` runs the command line."""

from pathloop.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
