"""The network: layers, encoder, decoders, heads, named sizes and checkpoints.

Start reading at `network.py`. Names are those of `__init__.pyi`, each imported when it is first
used: where weights lie, and their hash, is known without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
