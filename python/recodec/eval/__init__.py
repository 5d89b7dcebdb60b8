"""How pictures and codecs are judged: distortion metrics, and JPEG to compare with."""
