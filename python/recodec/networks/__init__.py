"""The recurrent networks: pure PyTorch, all state explicit. This is the reference for every fast path."""
