"""Data sets: reading, checking, converting and drawing them."""
