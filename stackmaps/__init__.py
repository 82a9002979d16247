"""Stack maps: what LLVM writes about frames -> a compact frame table, and its proof.

Independent of the compiler. ``objects`` reads an object file, ``verify`` proves that nothing but
the home slots is alive at each point, ``table`` writes what the runtime needs, ``remap`` reads
and writes stack images with it.
"""
