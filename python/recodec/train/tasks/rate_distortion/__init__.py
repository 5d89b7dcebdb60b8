"""What the tasks of the latent codec share: crops, rate against distortion, and the curve by which they are judged."""
