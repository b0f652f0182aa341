"""Read a NIfTI file once, from first to last byte, and say in words what is wrong with it."""

from __future__ import annotations

import gzip
import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import SEEK_END
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn, cast

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

#: What is unusual about an image: a flag, its value, and the sentence for the report.
Finding = tuple[str, str | float, str]

_QUIET = logging.Logger('nibabel-header-checks', level=logging.CRITICAL + 1)
_RECONVERT = 'Convert the scan from DICOM again or take it from the original source.'
REPLACE = 'Copy or download the file again.'


class BadImageError(ValueError):
    """An image that cannot be processed: which file, what is wrong, and what to do about it."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(path, reason, remedy)
        self.path = path
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        end = '' if self.reason.endswith('?') else '.'
        return f'{self.path}: {self.reason}{end} {self.remedy}'


class Volume(NamedTuple):
    """A header as it is stored, the same with its harmless faults repaired, and the values.

    ``data`` holds the stored numbers in three dimensions, not yet scaled by slope and intercept.
    """

    header: nib.Nifti1Header
    repaired: nib.Nifti1Header
    data: NDArray[Any]
    shape: tuple[int, ...]


class Header(NamedTuple):
    """A header as it is stored, the same with its harmless faults repaired, and the size."""

    header: nib.Nifti1Header
    repaired: nib.Nifti1Header
    shape: tuple[int, ...]


def read_header(path: Path) -> Header:
    """Read the header of a 3D image; raise :class:`BadImageError` if it is of something else."""
    require_content(path)
    with reading(path), open_file(path) as stream:
        header = parse_header(path, stream)
    shape = _require_three_dimensions(path, header)
    data_type(path, header)
    return Header(header, repair(path, header), shape)


def read_volume(path: Path) -> Volume:
    """Read header and values; raise :class:`BadImageError` if the file is not a whole 3D image."""
    require_content(path)
    with reading(path), open_file(path) as stream:
        header = parse_header(path, stream)
        shape = _require_three_dimensions(path, header)
        data = _read_data(path, stream, header, shape)
        read_to_end(stream)
    return Volume(header, repair(path, header), data.reshape(shape[:3], order='F'), shape)


@contextmanager
def reading(path: Path, where: str = '') -> Iterator[None]:
    """Say in words what goes wrong while the content of a file is read."""
    try:
        yield
    except EOFError as error:
        raise BadImageError(
            path, f'the compressed data end too early{where} (truncated)', REPLACE
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadImageError(path, f'the compressed data are corrupt ({error})', REPLACE) from error
    except PermissionError as error:
        raise BadImageError(
            path, 'the file may not be read by this user', f'Allow it: chmod a+r {path}'
        ) from error


def read_to_end(stream: IO[bytes]) -> None:
    """Read what is left: only the end of a gzip stream holds its checksum."""
    while stream.read(1 << 20):
        pass


def looks_whole(path: Path) -> bool:
    """Tell whether an image is as long as its header promises, from its ends alone.

    The last four bytes of a gzip file are the length of what it holds. Some whole files, of
    several gzip streams or with padding, do not look so.
    """
    with reading(path), open_file(path) as stream:
        header = parse_header(path, stream)
    size = math.prod(stored_shape(path, header)) * data_type(path, header).itemsize
    promised = _data_start(header) + size
    if not path.name.endswith('.gz'):
        return path.stat().st_size >= promised
    with path.open('rb') as file:
        file.seek(-4, SEEK_END)
        return int.from_bytes(file.read(4), 'little') == promised % 2**32


def require_content(path: Path) -> None:
    """Raise if there is no file, or none with the content of an image."""
    if path.is_symlink() and not path.exists():
        target = str(path.readlink())
        if 'annex/objects' in target:
            _raise_absent(path)
        raise BadImageError(
            path, f'the link points to {target}, which is not there', 'Restore that file.'
        )
    if not path.exists():
        raise BadImageError(path, 'there is no such file', 'Check the path and the dataset.')
    if not path.is_file():
        raise BadImageError(path, 'this is a folder, not a file', REPLACE)
    if not path.name.endswith(('.nii', '.nii.gz')):
        raise BadImageError(
            path, 'the name does not end in .nii or .nii.gz', 'Convert it to NIfTI (dcm2niix).'
        )
    if path.stat().st_size == 0:
        raise BadImageError(path, 'the file is empty (0 bytes)', REPLACE)


def _raise_absent(path: Path) -> NoReturn:
    raise BadImageError(
        path,
        'the content was not downloaded (git-annex)',
        f'Run in the dataset: datalad get {path}',
    )


def open_file(path: Path) -> IO[bytes]:
    """Open a NIfTI file, compressed or not, if its name says which."""
    with path.open('rb') as stream:
        start = stream.read(256)
    if start.startswith(b'/annex/objects/'):
        _raise_absent(path)
    if start.startswith(b'version https://git-lfs'):
        raise BadImageError(path, 'the content was not downloaded (git-lfs)', 'Run: git lfs pull')
    is_gzip = start[:2] == b'\x1f\x8b'
    if path.name.endswith('.gz') and not is_gzip and _looks_like_nifti(start):
        raise BadImageError(
            path, 'the name ends in .gz but the file is not compressed', 'Rename it to .nii.'
        )
    if not path.name.endswith('.gz') and is_gzip:
        raise BadImageError(
            path,
            'the file is compressed but its name does not end in .gz',
            'Rename it to .nii.gz.',
        )
    return cast('IO[bytes]', gzip.open(path)) if is_gzip else path.open('rb')


def _looks_like_nifti(start: bytes) -> bool:
    return any(int.from_bytes(start[:4], order) in (348, 540) for order in ('little', 'big'))


def _read_head(path: Path, stream: IO[bytes]) -> bytes:
    head = stream.read(348)
    if not _looks_like_nifti(head):
        raise BadImageError(path, f'this is not a NIfTI file but {_guess(head)}', _RECONVERT)
    size = 540 if 540 in (int.from_bytes(head[:4], order) for order in ('little', 'big')) else 348
    head += stream.read(size - 348)
    if len(head) < size:
        raise BadImageError(
            path, f'the file ends inside its header ({len(head)} of {size} bytes)', REPLACE
        )
    return head


def _guess(head: bytes) -> str:
    if head[128:132] == b'DICM':
        return 'a DICOM file'
    with suppress(UnicodeDecodeError):
        text = head.decode('ascii')
        if all(character.isprintable() or character.isspace() for character in text):
            return f'text ({" ".join(text.split())[:40]!r})'
    return 'something else'


def parse_header(path: Path, stream: IO[bytes]) -> nib.Nifti1Header:
    """Read the header of a single-file NIfTI image as it is stored."""
    head = _read_head(path, stream)
    is_second = len(head) == 540
    magic = head[4:7] if is_second else head[344:347]
    if magic == b'n+2':
        return nib.Nifti2Header(head, check=False)
    if magic == b'n+1':
        return nib.Nifti1Header(head, check=False)
    if magic in (b'ni1', b'ni2'):
        raise BadImageError(
            path, 'the header says that the data are in another file (.hdr/.img pair)', _RECONVERT
        )
    raise BadImageError(
        path, 'this is an ANALYZE file: its left and right are not defined', _RECONVERT
    )


def repair(path: Path, header: nib.Nifti1Header) -> nib.Nifti1Header:
    """Return a copy of the header without its harmless faults."""
    repaired = header.copy()
    try:
        repaired.check_fix(logger=_QUIET, error_level=40)
        repaired.get_slope_inter()
    except HeaderDataError as error:
        raise BadImageError(path, f'the header is not valid: {error}', _RECONVERT) from error
    return repaired


def stored_shape(path: Path, header: nib.Nifti1Header, least: int = 8) -> tuple[int, ...]:
    """Return the dimensions that the header gives; each of the first three is ``least`` or more.

    By default they are those of a head.
    """
    count = int(header['dim'][0])
    if not 1 <= count <= 7 or (header['dim'][1 : 1 + count] < 1).any():
        dims = header['dim'].tolist()
        raise BadImageError(path, f'the header holds impossible dimensions {dims}', _RECONVERT)
    shape = tuple(int(size) for size in header['dim'][1 : 1 + count])
    if len(shape) < 3 or min(shape[:3]) < least:
        name = ' x '.join(map(str, shape))
        raise BadImageError(
            path,
            f'this is a slice or a thin slab ({name}), not a volume of the head',
            'Take the whole stack of slices, or leave the image out with .bidsignore.',
        )
    return shape


def _require_three_dimensions(path: Path, header: nib.Nifti1Header) -> tuple[int, ...]:
    shape = stored_shape(path, header)
    if any(size > 1 for size in shape[3:]):
        raise BadImageError(
            path,
            f'a structural image has three dimensions, here are {" x ".join(map(str, shape))}',
            'Save every volume as a run of its own (run-1, run-2, ...), or their average as one.',
        )
    return shape


def _read_data(
    path: Path, stream: IO[bytes], header: nib.Nifti1Header, shape: tuple[int, ...]
) -> NDArray[Any]:
    dtype = data_type(path, header)
    skip_to_data(stream, header)
    size = math.prod(shape) * dtype.itemsize
    payload = stream.read(size)
    if len(payload) < size:
        raise BadImageError(
            path,
            f'the header promises {size} bytes of data, the file holds {len(payload)} (truncated)',
            REPLACE,
        )
    return np.frombuffer(payload, dtype)


def skip_to_data(stream: IO[bytes], header: nib.Nifti1Header) -> None:
    """Read over extensions of the header."""
    stream.read(_data_start(header) - len(header.binaryblock))


def _data_start(header: nib.Nifti1Header) -> int:
    return max(int(header['vox_offset']), len(header.binaryblock))


def data_type(path: Path, header: nib.Nifti1Header) -> np.dtype[Any]:
    """Return the type of the stored numbers, which must be real."""
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except (KeyError, HeaderDataError) as error:
        code = int(header['datatype'])
        raise BadImageError(path, f'the data type {code} is unknown', _RECONVERT) from error
    if dtype.fields is not None or dtype.kind == 'V':
        raise BadImageError(
            path, 'the image is coloured (RGB), not a scan', 'Take the scan it was made from.'
        )
    if dtype.kind == 'c':
        raise BadImageError(path, 'the image holds complex numbers', 'Save the magnitude alone.')
    if dtype.kind not in 'iuf':
        raise BadImageError(path, f'the data type {dtype} is not a number', _RECONVERT)
    return dtype
