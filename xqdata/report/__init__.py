"""HTML pages: one self-contained file each, no network, text from the data escaped."""
