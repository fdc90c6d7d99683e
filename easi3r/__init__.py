"""4D annotation of video: what moves, where the camera is, and where every pixel lies.

`easi3r.annotate(video)` annotates one video; `easi3r.open_dataset(url)` reads what a run has
committed, `easi3r.ClipWindows` and `easi3r.torch_windows` few frames of many clips, and
`easi3r.query(url, expression)` finds clips in its index. `easi3r.pipeline` is the whole method on
one page.

Public are these names, the command line, the settings and the store's schema; everything else may
change without notice. Names are those of `__init__.pyi`, each imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
