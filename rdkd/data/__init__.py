"""Data sets: reading, checking, converting and making them."""
