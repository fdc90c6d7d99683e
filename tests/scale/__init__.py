"""How time, memory, requests and the database grow with the number of clips."""
