"""What benchmark/study.py is made of."""
