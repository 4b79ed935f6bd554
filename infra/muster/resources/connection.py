"""Reads of the stack's cluster, from the program that may be making it."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from muster.report.reader import Unreachable

if TYPE_CHECKING:
    from muster.kube import Kube

LEARN_S = 10.0
"""Seconds between an operation on the cluster and the moment the program has learnt where it is."""


class Connection:
    """A lazy reader: by kubeconfig file, or by the text of a kubeconfig once that is known."""

    def __init__(self, file: str | None, context: str | None, text: pulumi.Output[str] | None = None) -> None:
        self._file, self._context = file, context
        self._text: str | None = None
        self._known = threading.Event()
        self._kube: Kube | None = None
        if text is not None:
            text.apply(self._learn)

    def reader(self) -> "Kube":
        """The reader. Raises Unreachable where the cluster is not known or does not answer."""
        if self._kube is None:
            self._kube = self._open()
        return self._kube

    def _learn(self, text: str) -> None:
        self._text = text
        self._known.set()

    def _open(self) -> "Kube":
        from muster.kube import Kube  # noqa: PLC0415 - previews ask no cluster

        if self._file is not None:
            return Kube.from_file(Path(self._file), self._context)
        if not self._known.wait(LEARN_S):
            raise Unreachable("the cluster's address is not known yet")
        return Kube.from_text(str(self._text))
