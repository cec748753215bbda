"""Small repositories, one for each kind of script whose verdict must be right; README.md lists them."""
