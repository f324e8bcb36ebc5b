"""The deployment: which sites, locations, instruments and routes there are, and which servers they use."""
