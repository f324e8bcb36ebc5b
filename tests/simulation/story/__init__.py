"""What happens at an observatory: processes come and go, instruments observe, servers fall, scientists ask."""
