"""The segmenter: label maps for photos that have none, by a compact network of our own."""
