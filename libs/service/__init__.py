"""What every service is made of: a declaration, a composition, a life."""
