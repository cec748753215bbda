"""Small repositories, each with a kind of script whose verdict must be right; README.md lists them."""
