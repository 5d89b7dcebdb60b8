"""Family 2: samples as they are, in strips of rows that are predicted and coded exactly, without a model."""
