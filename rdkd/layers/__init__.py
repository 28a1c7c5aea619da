"""What learns beside the student: review and adapters."""
