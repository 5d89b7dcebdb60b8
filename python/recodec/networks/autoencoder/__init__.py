"""One-shot autoencoders: analysis, a quantiser, synthesis, each layer by layer as a recipe says."""
