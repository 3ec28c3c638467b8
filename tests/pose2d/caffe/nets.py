"""Caffe nets of every architecture with random weights: prototxt texts and caffemodel bytes.

Written from the published layer tables and from caffe.proto, apart from `mv3d.pose2d.networks`, so that the two check
each other through OpenCV, which reads both files.
"""

from dataclasses import dataclass, field

import numpy as np

_CONV = (
    'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" '
    "convolution_param {{ num_output: {outputs} kernel_size: {kernel} pad: {pad} }} }}"
)
_POOL = (
    'layer {{ name: "{name}" type: "Pooling" bottom: "{bottom}" top: "{name}" '
    "pooling_param {{ pool: MAX kernel_size: 2 stride: 2 }} }}"
)
_PLAIN = 'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{name}" }}'


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def blob(values: np.ndarray, *, old: bool = False) -> bytes:
    """BlobProto: data, and a shape, or the four sizes that came before shapes."""
    data = message(5, values.astype("<f4").tobytes())
    if old:
        sizes = (1,) * (4 - values.ndim) + values.shape
        return b"".join(message(i + 1, n) for i, n in enumerate(sizes)) + data
    return message(7, message(1, b"".join(varint(n) for n in values.shape))) + data


def layer(name: str, kind: str, blobs: list[np.ndarray], *, old: bool = False) -> bytes:
    """A layer of the net; in the older form its fields and its place have other numbers."""
    if old:
        return message(2, message(4, name.encode()) + b"".join(message(6, blob(b, old=True)) for b in blobs))
    parts = [message(7, blob(b)) for b in blobs]
    return message(100, message(1, name.encode()) + message(2, kind.encode()) + b"".join(parts))


@dataclass
class Net:
    """A net that grows layer by layer; every layer's output is kept, so that all can be compared."""

    height: int
    width: int
    lines: list[str] = field(default_factory=list)
    blobs: dict[str, tuple[str, list[np.ndarray]]] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=lambda: {"image": 3})
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def conv(self, name: str, bottom: str, outputs: int, kernel: int) -> str:
        inputs = self.channels[bottom]
        spread = np.sqrt(2 / (inputs * kernel * kernel))
        weight = self.rng.normal(0, spread, (outputs, inputs, kernel, kernel)).astype(np.float32)
        bias = self.rng.normal(0, 0.1, outputs).astype(np.float32)
        self.blobs[name] = "Convolution", [weight, bias]
        pad = kernel // 2
        self.lines.append(_CONV.format(name=name, bottom=bottom, outputs=outputs, kernel=kernel, pad=pad))
        self.channels[name] = outputs
        return name

    def _plain(self, kind: str, name: str, bottom: str) -> str:
        self.lines.append(_PLAIN.format(name=name, bottom=bottom, kind=kind))
        self.channels[name] = self.channels[bottom]
        return name

    def relu(self, bottom: str) -> str:
        return self._plain("ReLU", f"relu_{bottom}", bottom)

    def prelu(self, name: str, bottom: str) -> str:
        self.blobs[name] = "PReLU", [self.rng.uniform(-0.3, 0.5, self.channels[bottom]).astype(np.float32)]
        return self._plain("PReLU", name, bottom)

    def pool(self, name: str, bottom: str) -> str:
        self.lines.append(_POOL.format(name=name, bottom=bottom))
        self.channels[name] = self.channels[bottom]
        return name

    def concat(self, name: str, bottoms: list[str]) -> str:
        tops = " ".join(f'bottom: "{b}"' for b in bottoms)
        self.lines.append(f'layer {{ name: "{name}" type: "Concat" {tops} top: "{name}" }}')
        self.channels[name] = sum(self.channels[b] for b in bottoms)
        return name

    @property
    def prototxt(self) -> str:
        sizes = "".join(f" input_dim: {n}" for n in (1, 3, self.height, self.width))
        return f'name: "generated" input: "image"{sizes}\n' + "\n".join(self.lines) + "\n"

    def caffemodel(self, *, old: bool = False) -> bytes:
        layers = (layer(name, kind, blobs, old=old) for name, (kind, blobs) in self.blobs.items())
        return message(1, b"generated") + b"".join(layers)


def _vgg(net: Net, convs_of_fourth: int) -> str:
    x = "image"
    for block, (width, count) in enumerate(((64, 2), (128, 2), (256, 4), (512, convs_of_fourth)), start=1):
        for i in range(1, count + 1):
            x = net.relu(net.conv(f"conv{block}_{i}", x, width, 3))
        if block < 4:
            x = net.pool(f"pool{block}_stage1", x)
    return x


def two_branches(net: Net, pafs: int, maps: int, stages: int = 6) -> str:
    """COCO (38, 19) and MPI (28, 16)."""
    x = _vgg(net, 2)
    for name, width in (("conv4_3_CPM", 256), ("conv4_4_CPM", 128)):
        x = net.relu(net.conv(name, x, width, 3))
    features, outputs, stage_input = x, {}, x
    for stage in range(1, stages + 1):
        for branch, count in (("L1", pafs), ("L2", maps)):
            x = stage_input
            if stage == 1:
                for i in (1, 2, 3):
                    x = net.relu(net.conv(f"conv5_{i}_CPM_{branch}", x, 128, 3))
                x = net.relu(net.conv(f"conv5_4_CPM_{branch}", x, 512, 1))
                outputs[branch] = net.conv(f"conv5_5_CPM_{branch}", x, count, 1)
                continue
            for i in range(1, 6):
                x = net.relu(net.conv(f"Mconv{i}_stage{stage}_{branch}", x, 128, 7))
            x = net.relu(net.conv(f"Mconv6_stage{stage}_{branch}", x, 128, 1))
            outputs[branch] = net.conv(f"Mconv7_stage{stage}_{branch}", x, count, 1)
        if stage < stages:
            stage_input = net.concat(f"concat_stage{stage + 1}", [outputs["L1"], outputs["L2"], features])
    return net.concat("net_output", [outputs["L2"], outputs["L1"]])


def _dense_stage(net: Net, x: str, ending: str, widths: tuple[int, int], outputs: int) -> str:
    for i in range(1, 6):
        parts = []
        for j in range(3):
            x = net.conv(f"Mconv{i}_{ending}_{j}", x, widths[0], 3)
            x = net.prelu(f"Mprelu{i}_{ending}_{j}", x)
            parts.append(x)
        x = net.concat(f"Mconv{i}_{ending}_concat", parts)
    x = net.prelu(f"Mprelu6_{ending}", net.conv(f"Mconv6_{ending}", x, widths[1], 1))
    return net.conv(f"Mconv7_{ending}", x, outputs, 1)


def body_25(net: Net) -> str:
    x = _vgg(net, 1)
    for name, width in (("4_2", 512), ("4_3_CPM", 256), ("4_4_CPM", 128)):
        x = net.prelu(f"prelu{name}", net.conv(f"conv{name}", x, width, 3))
    features = x
    pafs = _dense_stage(net, features, "stage0_L2", (96, 256), 52)
    for stage in (1, 2, 3):
        x = net.concat(f"concat_stage{stage}_L2", [features, pafs])
        pafs = _dense_stage(net, x, f"stage{stage}_L2", (128, 512), 52)
    x = net.concat("concat_stage0_L1", [features, pafs])
    maps = _dense_stage(net, x, "stage0_L1", (96, 256), 26)
    x = net.concat("concat_stage1_L1", [features, maps, pafs])
    maps = _dense_stage(net, x, "stage1_L1", (128, 512), 26)
    return net.concat("net_output", [maps, pafs])


def part(net: Net, maps: int) -> str:
    """Hand (22) and face (71)."""
    x = _vgg(net, 4)
    for name, width in (("conv5_1", 512), ("conv5_2", 512), ("conv5_3_CPM", 128)):
        x = net.relu(net.conv(name, x, width, 3))
    features = x
    x = net.conv("conv6_2_CPM", net.relu(net.conv("conv6_1_CPM", x, 512, 1)), maps, 1)
    for stage in range(2, 7):
        x = net.concat(f"concat_stage{stage}", [x, features])
        for i in range(1, 6):
            x = net.relu(net.conv(f"Mconv{i}_stage{stage}", x, 128, 7))
        x = net.relu(net.conv(f"Mconv6_stage{stage}", x, 128, 1))
        x = net.conv(f"Mconv7_stage{stage}", x, maps, 1)
    return x


ARCHITECTURES = {
    "body_25": body_25,
    "coco_18": lambda net: two_branches(net, 38, 19),
    "mpi_15": lambda net: two_branches(net, 28, 16),
    "hand_21": lambda net: part(net, 22),
    "face_70": lambda net: part(net, 71),
}


def generated(name: str, height: int = 32, width: int = 48) -> Net:
    """The net of an architecture for input of a size, with random weights."""
    net = Net(height, width)
    ARCHITECTURES[name](net)
    return net


@dataclass
class TorchNet(Net):
    """A net whose layers have the names of a PyTorch state dict, with batch norms; `state` is that state dict."""

    state: dict[str, np.ndarray] = field(default_factory=dict)

    def named(
        self, name: str, bottom: str, outputs: int, kernel: int = 3, *, norm: str = "", bias: bool = True, **how: int
    ) -> str:
        """A convolution (stride, dilation, group), and the batch norm after it if one is named."""
        inputs, group = self.channels[bottom], how.get("group", 1)
        spread = np.sqrt(2 / (inputs // group * kernel * kernel))
        weight = self.rng.normal(0, spread, (outputs, inputs // group, kernel, kernel)).astype(np.float32)
        blobs = [weight]
        self.state[f"{name}.weight"] = weight
        if bias:
            blobs.append(self.rng.normal(0, 0.1, outputs).astype(np.float32))
            self.state[f"{name}.bias"] = blobs[1]
        self.blobs[name] = "Convolution", blobs
        options = " ".join(f"{key}: {value}" for key, value in how.items())
        pad = kernel // 2 * how.get("dilation", 1)
        self.lines.append(
            f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" convolution_param {{ '
            f"num_output: {outputs} kernel_size: {kernel} pad: {pad} bias_term: {str(bias).lower()} {options} }} }}"
        )
        self.channels[name] = outputs
        return self._norm(norm, name) if norm else name

    def _norm(self, name: str, bottom: str) -> str:
        count = self.channels[bottom]
        mean, shift = (self.rng.normal(0, 0.3, count).astype(np.float32) for _ in range(2))
        variance, gain = (self.rng.uniform(0.5, 1.5, count).astype(np.float32) for _ in range(2))
        parts = {"running_mean": mean, "running_var": variance, "weight": gain, "bias": shift}
        self.state |= {f"{name}.{key}": value for key, value in parts.items()}
        self.state[f"{name}.num_batches_tracked"] = np.array(5)
        self.blobs[f"{name}_norm"] = "BatchNorm", [mean, variance, np.ones(1, np.float32)]
        self.blobs[name] = "Scale", [gain, shift]
        self.lines.append(
            f'layer {{ name: "{name}_norm" type: "BatchNorm" bottom: "{bottom}" top: "{name}_norm" '
            "batch_norm_param { use_global_stats: true eps: 1e-5 } }"
        )
        scale = f'layer {{ name: "{name}" type: "Scale" bottom: "{name}_norm" top: "{name}" '
        self.lines.append(scale + "scale_param { bias_term: true } }")
        self.channels[f"{name}_norm"] = self.channels[name] = count
        return name

    def elu(self, bottom: str) -> str:
        return self._plain("ELU", f"elu_{bottom}", bottom)

    def add(self, name: str, a: str, b: str) -> str:
        self.lines.append(f'layer {{ name: "{name}" type: "Eltwise" bottom: "{a}" bottom: "{b}" top: "{name}" }}')
        self.channels[name] = self.channels[a]
        return name


def _heads(net: TorchNet, stage: str, x: str, width: int) -> list[str]:
    out = []
    for kind, count in (("heatmaps", 19), ("pafs", 38)):
        wide = net.relu(net.named(f"{stage}.{kind}.0.0", x, width, 1))
        out.append(net.named(f"{stage}.{kind}.1.0", wide, count, 1))
    return out


def lightweight(net: TorchNet) -> str:
    """Lightweight OpenPose from the names and sizes of its published state dict."""
    x = net.relu(net.named("model.0.0", "image", 32, norm="model.0.1", bias=False, stride=2))
    rows = [(64, 1, 1), (128, 2, 1), (128, 1, 1), (256, 2, 1), (256, 1, 1), (512, 1, 1), (512, 1, 2)]
    for i, (outputs, stride, dilation) in enumerate(rows + [(512, 1, 1)] * 4, start=1):
        how = {"stride": stride, "dilation": dilation, "group": net.channels[x]}
        x = net.relu(net.named(f"model.{i}.0", x, net.channels[x], norm=f"model.{i}.1", bias=False, **how))
        x = net.relu(net.named(f"model.{i}.3", x, outputs, 1, norm=f"model.{i}.4", bias=False))
    aligned = x = net.relu(net.named("cpm.align.0", x, 128, 1))
    for i in range(3):
        x = net.elu(net.named(f"cpm.trunk.{i}.0", x, 128, bias=False, group=128))
        x = net.elu(net.named(f"cpm.trunk.{i}.2", x, 128, 1, bias=False))
    features = x = net.relu(net.named("cpm.conv.0", net.add("cpm.sum", aligned, x), 128))
    for i in range(3):
        x = net.relu(net.named(f"initial_stage.trunk.{i}.0", x, 128))
    x = net.concat("stage1", [features, *_heads(net, "initial_stage", x, 512)])
    for i in range(5):
        block = f"refinement_stages.0.trunk.{i}"
        first = x = net.relu(net.named(f"{block}.initial.0", x, 128, 1))
        for k, dilation in enumerate((1, 2)):
            x = net.relu(net.named(f"{block}.trunk.{k}.0", x, 128, norm=f"{block}.trunk.{k}.1", dilation=dilation))
        x = net.add(f"{block}.sum", first, x)
    return net.concat("net_output", _heads(net, "refinement_stages.0", x, 128))


def generated_lightweight(height: int = 32, width: int = 48) -> TorchNet:
    """Lightweight OpenPose with random weights; its `state` is the file to add."""
    net = TorchNet(height, width)
    lightweight(net)
    return net
