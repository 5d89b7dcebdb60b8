"""What an entropy coder expects of every code: the model that files are written with, and those of the paper."""
