"""A second decoder of strips, written from section 14 of FORMAT.md: slow, plain, no code shared with the core.

Section numbers are those of FORMAT.md. Python integers, and those of NumPy where section 14.12 says that 64 bits are
enough.
"""
