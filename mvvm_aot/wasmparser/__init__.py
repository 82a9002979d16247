"""A WebAssembly 2.0 binary parser and validator that needs only the standard library.

``decode_module`` turns bytes into a ``Module``, ``validate_module`` turns that into a
``ValidatedModule`` with the operand types at each place where the compiler needs them.
Apart from ``mvvm_aot.errors`` this package imports nothing of the project.
"""
