"""Time and processes: an asyncio event loop whose clock is a number and whose choices come from a seed."""
