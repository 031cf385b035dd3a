"""What a person sees in the terminal: the status line while the app runs, the summary after it."""
