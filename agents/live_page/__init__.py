"""The live page: an agent that learns while one looks, hurts it and changes its world. Needs the extra `live`.

Two processes. The learner's (`learner`) owns the agent and its environment and sends what is to be seen; it never waits for
the page, and makes no frames while nobody looks. The server's (`server`, `session`) passes frames on to the viewers and
their commands back. `protocol` says what goes between them.
"""
