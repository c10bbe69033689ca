"""Which arrays are opened as fields, and which as pictures."""

from pathlib import Path

import numpy as np

from convnext_studio.erf.field_files import is_field


def test_arrays_of_whole_numbers_or_more_axes_are_pictures(tmp_path: Path) -> None:
    def saved(name: str, array: np.ndarray) -> str:
        np.save(tmp_path / name, array)
        return str(tmp_path / name)

    assert is_field(saved("field.npy", np.zeros((8, 8))))
    assert not is_field(saved("grey.npy", np.zeros((8, 8), np.uint16)))
    assert not is_field(saved("bands.npy", np.zeros((8, 8, 5), np.float32)))
    np.savez(tmp_path / "bands.npz", np.zeros((8, 8, 5)))
    assert not is_field(str(tmp_path / "bands.npz"))
    np.savez(tmp_path / "field.npz", field=np.zeros((8, 8)))
    assert is_field(str(tmp_path / "field.npz"))
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    assert is_field(str(tmp_path / "broken.npy"))
    assert is_field(str(tmp_path / "missing.npy"))
    assert not is_field("cat.jpg")
