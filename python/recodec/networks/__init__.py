"""Networks, all state explicit. What they compute with are operators, which choose their bodies."""
