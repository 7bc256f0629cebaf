//! Agents: the brains that do tasks, and how each is given its brief and read back. Runs no process itself.
