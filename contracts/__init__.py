"""The messages: versioned events and requests, their subjects and their states. Imports nothing of ours."""
