"""Systems whose networks come trained: autoencoders of one stage or several, in files of family 3.

Loads no torch; coding does.
"""

from recodec.zoo.learned.header import Settings

__all__ = ["Settings"]
