"""Another commit, checked out and installed beside this one, under `out/compare/`."""

import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.compare.races import Side

REPOSITORY = Path(__file__).parents[3]
FOLDER = REPOSITORY / "out" / "compare"


def working_tree() -> Side:
    """The files as they are here, in the environment that runs this."""
    return Side("ours", Path(sys.executable), REPOSITORY)


def other_commit(revision: str) -> Side:
    """A commit in a worktree and an environment of its own; made if missing, a minute or two.

    Its own `make setup` installs it, with the versions that its own `constraints.txt` names.

    Raises:
        SystemExit: there is no such commit, or its environment cannot be installed.
    """
    short = _output("git", "rev-parse", "--short", f"{revision}^{{commit}}")
    folder = FOLDER / short
    if not (folder / ".git").exists():
        _run("git", "worktree", "prune")  # `make clean` deletes worktrees behind git's back
        _run("git", "worktree", "add", "--detach", str(folder), short)
    _link_shared_videos()
    _run("make", "--directory", str(folder), "setup", f"PYTHON={sys.executable}")
    return Side(short, folder / ".venv" / "bin" / "python", folder)


def _link_shared_videos() -> None:
    """Real videos stand beside a checkout; without them the other commit would skip those tests."""
    videos, link = REPOSITORY.parent / "shared", FOLDER / "shared"
    if videos.is_dir() and not link.exists():
        link.symlink_to(videos)


def _output(*command: str) -> str:
    return _run(*command, stdout=subprocess.PIPE).stdout.strip()


def _run(*command: str, stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    # The variables of the `make` that started this one are not meant for the other commit's.
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, stdout=stdout, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
    return done
