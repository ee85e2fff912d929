"""Pre-trained weights: where they come from, how they fit, and what is known about them."""
