"""``python -m mvvm_aot``: the command line."""

from .cli import main

main()
