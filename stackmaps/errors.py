"""The one exception of this package, which imports nothing of the compiler's."""

from __future__ import annotations


class StackMapError(Exception):
    """A stack map, frame table, object file or stack image contradicts itself or what is expected.

    ``str(error)`` is one sentence for people: what, where, and what was expected.
    """
