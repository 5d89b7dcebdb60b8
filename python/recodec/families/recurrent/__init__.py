"""Family 1: planes of codes, from networks that correct what the planes before left."""
