"""Brain templates and atlases: where they come from, licence, checksum, labels."""

from mriderived.spaces.delivery import CONTEXT, prepare_atlas
from mriderived.spaces.model import DEFAULT_SPACE, Atlas, Space, UnavailableError
from mriderived.spaces.registry import bundled_atlases, get_atlas, get_label_table, get_space

__all__ = [
    'CONTEXT',
    'DEFAULT_SPACE',
    'Atlas',
    'Space',
    'UnavailableError',
    'bundled_atlases',
    'get_atlas',
    'get_label_table',
    'get_space',
    'prepare_atlas',
]
