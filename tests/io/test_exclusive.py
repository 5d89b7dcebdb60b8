"""Who has an image of Pillow alone, and what of that a forked child inherits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# A thread holds an image, and the lock of all locks is taken, while the process forks.
FORKED = """
import os, threading
from PIL import Image
from recodec.io import exclusive

image = Image.new("RGB", (2, 2))
held, done = threading.Event(), threading.Event()

def hold():
    with exclusive.exclusive(image):
        held.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
with exclusive._guard:
    child = os.fork()
if child == 0:
    with exclusive.exclusive(image):
        os._exit(7)
status = os.waitpid(child, 0)[1]
done.set()
thread.join()
assert not exclusive._locks
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_waits_for_no_thread_of_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED], check=True, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "7"
