"""What ran: runs, their state, and what is known of the code and settings they ran with."""
