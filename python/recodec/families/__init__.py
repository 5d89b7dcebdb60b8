"""What chunks of a file hold: one family for each number of the header's family byte, found by the registry."""
