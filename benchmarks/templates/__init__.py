"""Templates of training scripts as public code has them, varied by a seed."""
