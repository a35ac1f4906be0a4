"""What the engine is compared with, and on what. Every rival is `run(problem, rows, rtol) -> (seconds, states)`."""
