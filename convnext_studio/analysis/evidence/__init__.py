"""Whether an attribution map can be trusted: faithfulness, randomised weights, agreement of methods."""
