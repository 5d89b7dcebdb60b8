"""The MLP of the student report: samples predicted one by one, and the errors coded.

Loads no torch; training and coding do.
"""

from recodec.zoo.mlp.header import Settings

__all__ = ["Settings"]
