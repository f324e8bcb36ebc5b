"""What operators ask: how is the site (`status`), and where is this, why, and what does it wait for (`explain`)."""
