"""What is there twice: pairs proposed by hashes and order, verified on pixels, joined to clusters."""
