from pathlib import Path

import pytest
import yaml

from mv3d.config import Config, OutputConfig, Pose2DConfig, differences, load_config
from mv3d.errors import ConfigError
from mv3d.guidance import GuidanceConfig
from mv3d.reconstruct.association import AssociationConfig
from mv3d.reconstruct.reconstruction import ReconstructConfig


def _load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


@pytest.mark.parametrize("text", ["", "# nothing but a comment", "{}", "guidance: {}"])
def test_an_empty_file_changes_nothing(tmp_path: Path, text: str) -> None:
    assert _load(tmp_path, text) == Config()


def test_only_what_is_named_changes(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        """
        pose2d: {long_sides: [368, 656]}
        guidance: {margin_m: 1, trunk_crop: false}
        reconstruct:
          mode: frame
          association: {hold_s: 0.25}
        output: {formats: [], scene: false}
        """,
    )
    assert config == Config(
        pose2d=Pose2DConfig(long_sides=(368, 656)),
        guidance=GuidanceConfig(margin_m=1.0, trunk_crop=False),
        reconstruct=ReconstructConfig(mode="frame", association=AssociationConfig(hold_s=0.25)),
        output=OutputConfig(formats=(), scene=False),
    )
    assert isinstance(config.guidance.margin_m, float)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("guidance: {fil_m: 1}", "unknown setting 'guidance.fil_m'; did you mean 'fill_m'?"),
        ("reconstrct: {}", "unknown setting 'reconstrct'; did you mean 'reconstruct'?"),
        ("reconstruct: {sequence: {stat_steps: 1}}", "'reconstruct.sequence.stat_steps'; did you mean 'state_steps'?"),
        ("output: {zzz: 1}", "unknown setting 'output.zzz'; there are formats, overlay, scene, report"),
        ("1: 2", "unknown setting '1'"),
    ],
)
def test_unknown_settings_are_named_with_the_nearest(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert said in str(caught.value)
    assert str(tmp_path / "settings.yaml") in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("guidance: {crop_px: 352.0}", "guidance.crop_px is 352.0; a whole number is wanted"),
        ("guidance: {crop_px: yes}", "guidance.crop_px is True; a whole number is wanted"),
        ("guidance: {margin_m: wide}", "guidance.margin_m is 'wide'; a number is wanted"),
        ("guidance: {margin_m: true}", "guidance.margin_m is True; a number is wanted"),
        ("guidance: {margin_m: [1]}", "guidance.margin_m is [1]; a number is wanted"),
        ("guidance: {margin_m: }", "guidance.margin_m is None; a number is wanted"),
        ("guidance: {margin_m: -0.1}", "guidance.margin_m is -0.1; a number of at least 0 is wanted"),
        ("guidance: {margin_m: .nan}", "guidance.margin_m is nan; a number of at least 0 is wanted"),
        ("guidance: {margin_m: .inf}", "guidance.margin_m is inf; a number of at least 0 is wanted"),
        ("guidance: {settling_looks: -1}", "guidance.settling_looks is -1; a number of at least 0 is wanted"),
        ("guidance: {trunk_crop: 1}", "guidance.trunk_crop is 1; true or false is wanted"),
        ("guidance: {crop_px: 100}", "guidance: crop_px is 100; a positive multiple of 8 is wanted"),
        ("guidance: 7", "guidance must be a mapping"),
        ("pose2d: {model: 7}", "pose2d.model is 7; a text is wanted"),
        ("pose2d: {long_sides: 368}", "pose2d.long_sides is 368; a list is wanted"),
        ("pose2d: {long_sides: [368, big]}", "pose2d.long_sides is 'big'; a whole number is wanted"),
        ("pose2d: {long_sides: []}", "long_sides is []"),
        ("pose2d: {long_sides: [0]}", "long_sides is [0]"),
        ("reconstruct: {mode: live}", "reconstruct.mode is 'live'; one of frame, sequence, causal is wanted"),
        ("reconstruct: {mode: [frame]}", "reconstruct.mode is ['frame']; one of"),
        ("output: {formats: [csv, bvhh]}", "export format 'bvhh' is unknown"),
        ("output: {formats: csv}", "output.formats is 'csv'; a list is wanted"),
    ],
)
def test_values_that_do_not_fit(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "- guidance",
        "[]",
        "0",
        "hello",
        "!!python/object/apply:os.getcwd []",
        "2001-99-99: 1",
        "a: &a [*a]",
        "[" * 5000,
        "guidance: {margin_m: " + "9" * 5000 + "}",
    ],
)
def test_files_that_are_no_settings(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"model: \xe9\xff")
    with pytest.raises(ConfigError, match=r"latin\.yaml: cannot read"):
        load_config(tmp_path / "latin.yaml")


@pytest.mark.parametrize("text", ["1e-1", "'0.1'", "0.1", "1.0e-1"])
def test_numbers_as_people_write_them(tmp_path: Path, text: str) -> None:
    """YAML 1.1 takes 1e-1 for a text."""
    assert _load(tmp_path, f"guidance: {{margin_m: {text}}}").guidance.margin_m == 0.1


def test_differences_round_trip(tmp_path: Path) -> None:
    config = Config(
        pose2d=Pose2DConfig(long_sides=(368, 656), device="cpu"),
        reconstruct=ReconstructConfig(mode="frame", association=AssociationConfig(hold_s=0.25)),
        output=OutputConfig(formats=("json",)),
    )
    changed = differences(config)
    assert changed == {
        "pose2d": {"long_sides": [368, 656], "device": "cpu"},
        "reconstruct": {"mode": "frame", "association": {"hold_s": 0.25}},
        "output": {"formats": ["json"]},
    }
    assert _load(tmp_path, yaml.safe_dump(changed)) == config
    assert differences(Config()) == {}
