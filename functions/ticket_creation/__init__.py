"""What is owed to a customer becomes a ticket, or joins the one that is open."""
