"""The latent codec: a learned transform at 1/16 of the picture's size, whose latents are what is sent."""
