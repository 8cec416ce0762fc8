"""The reference benchmark of xqdata; the only package here that may import torch."""
