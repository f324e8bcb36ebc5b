"""What is done to a system. Every choice comes from the scene's generator; every deed is told in its report."""
