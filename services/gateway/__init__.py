"""The gateway: a site's door for people and programs, over HTTP.

Hears nothing of the log by durable consumers. Answers from ops-db (with the role that can only read), forwards
filing requests to the site's filing service over NATS, shows the live page, and says StagingRequested and
StagingReleased for those who ask for archived data, HoldPlaced and HoldReleased for those who want copies to stay.

There is no authentication in this step: it listens on 127.0.0.1 unless the deployment file says otherwise. Put
a proxy that knows its users in front of it before it listens elsewhere. It defends a local listener against
other web pages (`guarding`), nothing more.

Invariants, and the traps behind them:
- It writes nothing but events: whatever it answers from can be rebuilt.
- No listener of the live feed can hold up another one, or the reading: a slow one is dropped and resumes.
- Names of files come from outside: the page puts them into text nodes, never into markup.
"""
