"""How features and head outputs are got from a detector."""
