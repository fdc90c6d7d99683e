"""How the embedded checkpoint `nano` is made; `python -m easi3r.training --help`."""
