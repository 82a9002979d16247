"""Rewrite the expected part of every golden test: read the difference before committing it."""

from __future__ import annotations

from .case import cases


def main() -> None:
    """Write each file that changes, and name it."""
    for case in cases():
        text = case.blessed()
        if text != case.path.read_text():
            case.path.write_text(text)
            print(f"blessed {case.path.name}")


if __name__ == "__main__":
    main()
