"""What the student is to learn from the teacher: one method a file."""
