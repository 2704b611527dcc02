"""Decodes strangers' images in processes of their own, which have nothing but a pipe in and a pipe out.

parent (pool.py) ──frames (frames.py)──▶ worker.py: make(bytes) ──▶ thumbnails
                                          └─ shut in by lockdown.py and syscalls.py
"""

from thumbnailer.sandbox.pool import Sandbox, SandboxError, SandboxSettings, UndecidedError

__all__ = ["Sandbox", "SandboxError", "SandboxSettings", "UndecidedError"]
