"""Ways of a composed message to a server, a file each: `send(plan, message) -> Answer`."""
