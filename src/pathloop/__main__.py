"""``pathloop`` and ``python -m pathloop`` run the command line."""

import sys


def main() -> int:
    """Import the command line and run it; Ctrl-C is quiet from the first moment on."""
    try:
        from pathloop.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("pathloop: stopped", file=sys.stderr)  # noqa: T201
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
