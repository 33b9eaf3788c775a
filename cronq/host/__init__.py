"""What this machine offers: files with the right modes, kernel locks, process identity, FIFOs."""
