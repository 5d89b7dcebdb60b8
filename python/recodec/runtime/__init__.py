"""Where networks run: tiles, states, graphs, lists of pictures."""
