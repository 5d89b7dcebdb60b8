"""How models are made: photographs, losses, recipes, the training loop."""
