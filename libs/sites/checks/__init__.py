"""What must hold between the parts of a deployment: each rule a small pure function, by subject."""
