"""Training data: photographs, and the endless sequence of crops that is drawn from them."""
