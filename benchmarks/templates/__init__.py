"""Templates for training scripts in the style of public code, varied by a seed."""
