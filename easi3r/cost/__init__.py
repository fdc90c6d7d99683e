"""What a clip costs the hardware: counted and projected, in closed form."""
