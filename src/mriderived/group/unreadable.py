"""What reading a file of a participant raises where it is cut off, damaged or of another kind.

One such file is a reason why its participant lacks a number, and never the end of the group level.
"""

from __future__ import annotations

import zlib

from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, ImageDataError
from nibabel.wrapstruct import WrapStructError

UNREADABLE: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    zlib.error,
    ImageFileError,
    HeaderDataError,
    ImageDataError,
    WrapStructError,
    # tables and JSON that hold something else, or less, than they should
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
)
