"""What services share. Imports contracts only."""
