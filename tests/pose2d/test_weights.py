"""Weight files that users bring: every kind read, recognised, checked and kept; damaged and hostile ones refused."""

import importlib.util
import io
import json
import os
import pickle
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from torch import nn

from mv3d.cli import main
from mv3d.data.skeletons import HAND_21
from mv3d.errors import ConfigError, FormatError
from mv3d.pose2d import recognition
from mv3d.pose2d.caffemodel import read_caffemodel
from mv3d.pose2d.models import MODELS, Model, load_network
from mv3d.pose2d.networks.layers import Chain, Layer
from mv3d.pose2d.recognition import recognise, with_folded_batch_norms
from mv3d.pose2d.weight_files import read_weights
from mv3d.pose2d.weight_import import add_weights, fetch_weights
from mv3d.pose2d.weight_store import stored_path

_spec = importlib.util.spec_from_file_location("caffe_nets", Path(__file__).parent / "caffe" / "nets.py")
assert _spec is not None
assert _spec.loader is not None
nets = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(nets)


class _SmallHandNet(nn.Module):
    """Two layers under the names of the hand network's first and last."""

    def __init__(self, skeleton) -> None:
        super().__init__()
        self.trunk = Chain(3, (Layer("conv1_1", 4), Layer("conv6_2_CPM", skeleton.heatmap_count, 1, None)))


_WEIGHTS = {
    "conv1_1.weight": np.linspace(-1, 1, 108, dtype=np.float32).reshape(4, 3, 3, 3),
    "conv1_1.bias": np.arange(4, dtype=np.float32),
    "conv6_2_CPM.weight": np.linspace(0, 1, 88, dtype=np.float32).reshape(22, 4, 1, 1),
    "conv6_2_CPM.bias": np.arange(22, dtype=np.float32),
}


@pytest.fixture(autouse=True)
def small_hand(monkeypatch, tmp_path):
    """The hand network is a small one here, and the cache a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(MODELS, "hand_21", Model("hand_21", HAND_21, _SmallHandNet))
    recognition._shapes.cache_clear()
    yield
    recognition._shapes.cache_clear()


def _caffe(weights=_WEIGHTS, *, old: bool = False) -> bytes:
    layers = sorted({name.rpartition(".")[0] for name in weights})
    blobs = {n: [weights[f"{n}.{part}"] for part in ("weight", "bias")] for n in layers}
    return nets.message(1, b"hand") + b"".join(nets.layer(n, "Convolution", b, old=old) for n, b in blobs.items())


def _graph(weights=_WEIGHTS) -> bytes:
    out = b""
    for name, value in weights.items():
        layer, _, part = name.rpartition(".")
        kept = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
        shape = b"".join(nets.message(2, nets.message(1, n)) for n in kept.shape)
        tensor = nets.message(1, 1) + nets.message(2, shape) + nets.message(4, np.ascontiguousarray(kept).tobytes())
        node = nets.message(1, f"{layer}/{'weights' if part == 'weight' else 'biases'}".encode())
        attribute = nets.message(1, b"value") + nets.message(2, nets.message(8, tensor))
        out += nets.message(1, node + nets.message(2, b"Const") + nets.message(5, attribute))
    return out


def _write(path: Path, kind: str) -> Path:
    tensors = {name: torch.from_numpy(value) for name, value in _WEIGHTS.items()}
    if kind.startswith("caffe"):
        path.write_bytes(_caffe(old=kind.endswith("old")))
    elif kind == "graph":
        path.write_bytes(_graph())
    elif kind == "safetensors":
        save_file(_WEIGHTS, path)
    elif kind == "legacy pth":
        torch.save(tensors, path, _use_new_zipfile_serialization=False)
    else:
        names = {"pth": "", "port": "model.", "parallel": "module.trunk."}
        torch.save({"state_dict": {names[kind] + name: value for name, value in tensors.items()}}, path)
    return path


@pytest.mark.parametrize(
    "kind", ["caffe", "caffe old", "graph", "safetensors", "legacy pth", "pth", "port", "parallel"]
)
def test_every_kind_of_file_is_added_and_loaded(tmp_path, kind):
    added = add_weights(_write(tmp_path / "weights.bin", kind))
    assert added.model.name == "hand_21"
    assert added.published is False
    assert added.path == stored_path("hand_21")
    state = load_network(added.model).state_dict()
    for name, value in _WEIGHTS.items():
        np.testing.assert_array_equal(state[f"trunk.{name}"].numpy(), value)


def test_what_is_stored_is_checked_when_it_is_loaded(tmp_path):
    added = add_weights(_write(tmp_path / "w", "pth"))
    record = json.loads(added.path.with_suffix(".json").read_text())
    assert record["sha256"] == added.sha256
    assert record["source"] == "w"
    content = bytearray(added.path.read_bytes())
    content[-1] ^= 1
    added.path.write_bytes(content)
    with pytest.raises(FormatError, match="not as it was stored"):
        load_network(MODELS["hand_21"])


def test_without_weights_the_user_is_told_how_to_get_them():
    with pytest.raises(ConfigError, match=r"body_25 has no weights here: take .*caffemodel.*mv3d models add FILE"):
        load_network(MODELS["body_25"])


def test_the_fast_mpi_network_takes_the_weights_of_the_whole():
    assert MODELS["mpi_15_fast"].stored_as == "mpi_15"
    assert not MODELS["mpi_15_fast"].installed


def test_a_wrong_shape_or_a_missing_layer_is_named():
    other = {**_WEIGHTS, "conv1_1.bias": np.zeros(5, np.float32)}
    with pytest.raises(FormatError, match=r"nearest to hand_21, but trunk.conv1_1.bias has the shape \(5,\), not \(4,"):
        recognise(other, "file")
    other = {name: value for name, value in _WEIGHTS.items() if name != "conv6_2_CPM.bias"}
    with pytest.raises(FormatError, match=r"conv6_2_CPM\.bias is missing"):
        recognise(other, "file")
    with pytest.raises(FormatError, match="no network that mv3d knows"):
        recognise({"fc.weight": np.zeros((3, 3), np.float32)}, "file")
    other = {**_WEIGHTS, "conv1_1.bias": np.array([1, 2, np.nan, 4], np.float32)}
    with pytest.raises(FormatError, match="not finite"):
        recognise(other, "file")


def test_folded_batch_norms_give_the_same_numbers():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 2, 1)).eval()
    for values in (plain[1].running_mean, plain[1].running_var, plain[1].weight, plain[1].bias):
        values.data.uniform_(0.5, 1.5)
    folded = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 2, 1)).eval()
    state = with_folded_batch_norms({f"m.{k}": v.detach().numpy() for k, v in plain.state_dict().items()})
    assert sorted(state) == ["m.0.bias", "m.0.weight", "m.3.bias", "m.3.weight"]
    places = {"m.0": "0", "m.3": "2"}
    folded.load_state_dict({f"{places[k[:3]]}{k[3:]}": torch.from_numpy(v) for k, v in state.items()})
    x = torch.randn(1, 3, 8, 8)
    # One rounding of float32 each.
    torch.testing.assert_close(folded(x), plain(x), rtol=1e-5, atol=1e-5)


class _Runs:
    def __reduce__(self):
        return os.mkdir, ("proof_that_it_ran",)


def test_a_pickle_with_code_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1_1.weight": _Runs()}, "zip.pth")
    Path("bare.pth").write_bytes(pickle.dumps({"a": _Runs()}, protocol=2))
    for name in ("zip.pth", "bare.pth"):
        with pytest.raises(FormatError, match=f"{name}: "):
            read_weights(Path(name))
    assert not Path("proof_that_it_ran").exists()


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    _write(tmp_path / "w.pth", "pth")
    bomb = tmp_path / "bomb.pth"
    with zipfile.ZipFile(tmp_path / "w.pth") as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as out:
        for entry in source.infolist():
            out.writestr(entry.filename, source.read(entry))
        out.writestr("archive/data/99", bytes(40 << 20))
    assert bomb.stat().st_size < 200_000
    with pytest.raises(FormatError, match="nothing of it was read"):
        read_weights(bomb)


def test_a_view_that_claims_to_be_huge_takes_no_memory(tmp_path):
    torch.save({"conv1_1.weight": torch.zeros(1).expand(100_000, 100_000)}, tmp_path / "w.pth")
    with pytest.raises(FormatError, match="too large"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (nets.message(7, nets.message(1, nets.varint(2**62) * 2)) + nets.message(5, b"1234"), "too large"),
        (nets.message(7, nets.message(1, nets.varint(1) * 9)) + nets.message(5, b"1234"), "dimensions"),
        (
            nets.message(7, nets.message(1, nets.varint(1) * 10_000)) + nets.message(5, b"1234"),
            "that is too long",
        ),
        (nets.message(7, nets.message(1, nets.varint(3))) + nets.message(5, b"1234"), "do not fit its shape"),
        (nets.message(5, b"12345"), "cut short"),
        (nets.message(7, 5), "a number where bytes belong"),
        (nets.message(1, 2**40), "do not fit its shape"),
    ],
)
def test_absurd_blobs_are_refused(tmp_path, blob, reason):
    path = tmp_path / "w.caffemodel"
    path.write_bytes(nets.message(100, nets.message(1, b"conv") + nets.message(7, blob)))
    with pytest.raises(FormatError, match=reason) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_weights(tmp_path):
    path = tmp_path / "w.caffemodel"
    one = nets.layer("conv", "Convolution", [np.zeros(1, np.float32)])
    for content, reason in (
        (b"", "empty"),
        (b"<html>404 not found</html>", "wire type|field"),
        (nets.message(1, b"a name and nothing else"), "no layer with weights"),
        (one * 2, "two layers"),
        (nets.message(100, b"") * 3000, "more than 2000 layers"),
        (nets.layer("c", "Convolution", [np.zeros(1)] * 9), "more than 8 blobs"),
        (b"\x80\x02garbage and more", "damaged|more than tensors"),
        (b"PK\x03\x04 not a zip at all", "damaged|more than tensors"),
        ((40).to_bytes(8, "little") + b"{" + b"x" * 60, "damaged safetensors"),
    ):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=reason) as caught:
            read_weights(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(FormatError, match="cannot be read"):
        read_weights(tmp_path / "none.pth")
    torch.save([1, 2, 3], path)
    with pytest.raises(FormatError, match="not a state dict"):
        read_weights(path)


_FUZZED = {"caffe": _caffe(), "graph": _graph()}


def _saved(**how) -> bytes:
    buffer = io.BytesIO()
    torch.save({n: torch.from_numpy(v) for n, v in _WEIGHTS.items()}, buffer, **how)
    return buffer.getvalue()


_FUZZED["zip"] = _saved()
_FUZZED["pickle"] = _saved(_use_new_zipfile_serialization=False)


@pytest.mark.parametrize("kind", list(_FUZZED))
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changed_and_cut_files_never_fail_otherwise(tmp_path_factory, kind, data):
    content = bytearray(_FUZZED[kind])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(FormatError):
        recognise(read_weights(path)[1], str(path))


def test_a_caffemodel_in_either_form(tmp_path):
    for old in (False, True):
        (tmp_path / "w").write_bytes(_caffe(old=old))
        blobs = read_caffemodel(tmp_path / "w")
        assert list(blobs) == ["conv1_1", "conv6_2_CPM"]
        assert blobs["conv1_1"][0].shape == (4, 3, 3, 3)
        np.testing.assert_array_equal(blobs["conv1_1"][1].ravel(), np.arange(4))


def test_fetching(tmp_path):
    source = _write(tmp_path / "w", "pth")
    model = MODELS["lightweight"]
    fetched = []

    def fetch(url: str, path: Path) -> None:
        fetched.append(url)
        shutil.copy(source, path)

    # No hash is published for this file, so it is taken for what its layers say that it is.
    assert fetch_weights(model, fetch).model.name == "hand_21"
    assert fetched == [model.files[0].url]
    with pytest.raises(FormatError, match=r"not the published file. By hand: take .*caffemodel"):
        fetch_weights(MODELS["body_25"], fetch)

    def fails(url: str, path: Path) -> None:
        raise OSError("no route to host")

    with pytest.raises(
        ConfigError, match=r"cannot be fetched \(no route to host\). By hand: take .*mv3d models add FILE"
    ):
        fetch_weights(model, fails)
    with pytest.raises(ConfigError, match="cannot be fetched: it ships with mv3d"):
        fetch_weights(MODELS["mobilenet_thin"], fails)


def test_the_commands(tmp_path, capsys):
    main(["models", "add", str(_write(tmp_path / "hand.caffemodel", "caffe"))])
    said = capsys.readouterr().out
    assert "hand_21: Caffe weights, 21 joints of HAND_21" in said
    assert "non-commercial research only" in said
    assert "not the one that was published" in said
    main(["models", "list"])
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert " installed " in lines["hand_21"]
    assert "not installed" in lines["body_25"]
    assert "ships" in lines["mobilenet_thin"]
    with pytest.raises(SystemExit):
        main(["models", "add", str(tmp_path / "none")])
    assert "cannot be read" in capsys.readouterr().err


def test_every_model_says_whose_it_is():
    for name, model in MODELS.items():
        assert model.licence, name
        assert model.origin, name
        assert model.by_hand, name
        assert all(len(file.md5 or 32 * "0") == 32 and len(file.sha256 or 64 * "0") == 64 for file in model.files)
