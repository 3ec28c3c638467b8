import pytest
import torch
from safetensors.torch import save_file

from mv3d.errors import ConfigError, FormatError
from mv3d.pose2d.models import MODELS, load_network, model_named


def test_every_model_loads_its_shipped_weights():
    shipped = [model for model in MODELS.values() if model.ships]
    assert [model.name for model in shipped] == ["mobilenet_thin"]
    for model in shipped:
        network = load_network(model)
        assert not network.training
        assert {p.dtype for p in network.parameters()} == {torch.float32}
        assert not any(p.requires_grad for p in network.parameters())


def test_unknown_model_is_named():
    with pytest.raises(ConfigError, match=r"'body_99'; there are .*mobilenet_thin"):
        model_named("body_99")


def test_foreign_weights_are_refused(tmp_path):
    model = model_named("mobilenet_thin")
    text, other = tmp_path / "text.safetensors", tmp_path / "other.safetensors"
    text.write_text("not weights")
    save_file({"a": torch.zeros(3)}, other)
    for path, reason in ((text, "cannot be read"), (other, "not the weights"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(FormatError, match=reason) as caught:
            load_network(model, path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
