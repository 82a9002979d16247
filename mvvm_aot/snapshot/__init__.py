"""Snapshots: the state of a WebAssembly instance as values, and its bytes.

``state`` holds the value types, ``codec`` turns them into bytes and back, ``check`` holds a
snapshot against a validated module.
"""
