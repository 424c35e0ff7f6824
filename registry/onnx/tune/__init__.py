"""Finding the recipe that makes the smallest or fastest model which still answers like its parent."""
