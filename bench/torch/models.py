"""The benchmark models in PyTorch, and how weights in Keras's order and shapes get into them (see bench/workloads)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# Keras's defaults: epsilon 1e-3, moving statistics move by 1 %.
BN = dict(eps=1e-3, momentum=0.01)
LN = dict(eps=1e-3)


class Flatten(nn.Module):
    """Channels last, as the dense layer after it was made for: its kernel's rows are (height, width, channel)."""

    def __init__(self, size, channels):
        super().__init__()
        self.size, self.channels = size, channels

    def forward(self, x):
        return x.flatten(1)

    def rows(self):
        order = np.arange(self.size * self.size * self.channels).reshape(self.size, self.size, self.channels)
        return order.transpose(2, 0, 1).reshape(-1)


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))


def autoencoder():
    sizes = [41, 32, 8, 32, 41]
    parts = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        parts.append(nn.Linear(a, b))
        if i < 3:
            parts.append(nn.ReLU())
    return nn.Sequential(*parts)


def xor():
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid())


def cnn(dropout=True):
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.25 if dropout else 0.0), Flatten(12, 64), nn.Linear(9216, 128), nn.ReLU(),
        nn.Dropout(0.5 if dropout else 0.0), nn.Linear(128, 10),
    )  # fmt: skip


class SamePad(nn.Module):
    """TensorFlow's "same" for a stride of 2: the odd pixel of padding goes to the end."""

    def __init__(self, before, after):
        super().__init__()
        self.pad = (before, after, before, after)

    def forward(self, x):
        return F.pad(x, self.pad)


def conv(cin, cout, kernel, stride=1, groups=1, size=None):
    """A convolution with Keras's "same" padding; `size` of the image where the stride is not 1."""
    if stride == 1:
        return nn.Conv2d(cin, cout, kernel, padding=kernel // 2, groups=groups, bias=False)
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    before = total // 2
    inner = nn.Conv2d(cin, cout, kernel, stride, groups=groups, bias=False)
    if total == 0:
        return inner
    if before == total - before:
        inner.padding = (before, before)
        return inner
    return nn.Sequential(SamePad(before, total - before), inner)


class Basic(nn.Module):
    def __init__(self, cin, cout, stride, size):
        super().__init__()
        self.project = stride != 1 or cin != cout
        if self.project:
            self.conv0, self.bn0 = conv(cin, cout, 1, stride, size=size), nn.BatchNorm2d(cout, **BN)
        self.conv1, self.bn1 = conv(cin, cout, 3, stride, size=size), nn.BatchNorm2d(cout, **BN)
        self.conv2, self.bn2 = conv(cout, cout, 3), nn.BatchNorm2d(cout, **BN)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (self.bn0(self.conv0(x)) if self.project else x))


class GlobalAverage(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def resnet20():
    """He et al. 2015 for CIFAR: three stages of three blocks; 1x1 projections where the shape changes."""
    parts = [conv(3, 16, 3), nn.BatchNorm2d(16, **BN), nn.ReLU()]
    cin, size = 16, 32
    for cout in (16, 32, 64):
        for block in range(3):
            stride = 2 if cout != 16 and block == 0 else 1
            parts.append(Basic(cin, cout, stride, size))
            cin, size = cout, size // stride
    return nn.Sequential(*parts, GlobalAverage(), nn.Linear(64, 10))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.LSTM(64, 128, batch_first=True)
        self.second = nn.LSTM(128, 128, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.second(self.first(x)[0])[0][:, -1])


class Block(nn.Module):
    """Pre-norm transformer block with one product for query, key and value."""

    def __init__(self, width, heads, causal, hidden, pre_norm=True, eps=1e-3):
        super().__init__()
        self.heads, self.causal, self.pre_norm = heads, causal, pre_norm
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def attend(self, x):
        b, t, c = x.shape
        q, k, v = (p.view(b, t, self.heads, -1).transpose(1, 2) for p in self.qkv(x).split(c, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(b, t, c))

    def forward(self, x):
        if self.pre_norm:
            x = x + self.attend(self.norm1(x))
            return x + self.down(F.gelu(self.up(self.norm2(x))))
        x = self.norm1(x + self.attend(x))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Gpt(nn.Module):
    """The CPU model of nanoGPT: 4 layers, 4 heads, 128 wide, 64 characters of context, one table of tokens."""

    def __init__(self, layers=4, heads=4, width=128, block=64, vocabulary=65):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(block, width)
        self.blocks = nn.ModuleList(Block(width, heads, True, 4 * width, eps=1e-5) for _ in range(layers))
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.register_buffer("where", torch.arange(block), persistent=False)

    def forward(self, x):
        x = self.tokens(x) + self.positions(self.where)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight).flatten(0, 1)


class BertMini(nn.Module):
    """Turc et al. 2019: 4 layers, 256 wide, 4 heads; the encoder over embedded tokens, post-norm."""

    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(30522, 256), nn.Embedding(128, 256)
        self.norm = nn.LayerNorm(256, **LN)
        self.blocks = nn.ModuleList(Block(256, 4, False, 1024, pre_norm=False) for _ in range(4))
        self.register_buffer("where", torch.arange(128), persistent=False)

    def forward(self, x):
        x = self.norm(self.tokens(x) + self.positions(self.where))
        for block in self.blocks:
            x = block(x)
        return x


class Recsys(nn.Module):
    def __init__(self):
        super().__init__()
        self.users, self.items = nn.Embedding(10000, 64), nn.Embedding(5000, 64)
        self.hidden1, self.hidden2, self.head = nn.Linear(128, 128), nn.Linear(128, 64), nn.Linear(64, 1)

    def forward(self, user, item):
        x = torch.cat([self.users(user), self.items(item)], 1)
        return self.head(F.relu(self.hidden2(F.relu(self.hidden1(x)))))


class TextGru(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10000, 128)
        self.gru = nn.GRU(128, 64, batch_first=True, bidirectional=True)
        self.head = nn.Linear(128, 1)

    def forward(self, x):
        last = self.gru(self.words(x))[1]  # [direction, batch, 64]: the last step each way
        return self.head(torch.cat([last[0], last[1]], 1))


def conv_bn(cin, cout, kernel, stride=1, groups=1, size=None, activation=None):
    parts = [conv(cin, cout, kernel, stride, groups, size), nn.BatchNorm2d(cout, **BN)]
    return nn.Sequential(*parts, *([activation] if activation else []))


class Inverted(nn.Module):
    def __init__(self, cin, cout, expand, stride, size):
        super().__init__()
        mid = cin * expand
        parts = [conv_bn(cin, mid, 1, activation=nn.ReLU6())] if expand != 1 else []
        parts += [conv_bn(mid, mid, 3, stride, mid, size, nn.ReLU6()), conv_bn(mid, cout, 1)]
        self.body, self.residual = nn.Sequential(*parts), stride == 1 and cin == cout

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


def mobilenet_v2():
    """Sandler et al. 2018, width 1, 224 x 224, 1000 classes."""
    parts = [conv_bn(3, 32, 3, 2, size=224, activation=nn.ReLU6())]
    cin, size = 32, 112
    for expand, cout, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):  # fmt: skip
        for i in range(count):
            s = stride if i == 0 else 1
            parts.append(Inverted(cin, cout, expand, s, size))
            cin, size = cout, size // s
    parts.append(conv_bn(320, 1280, 1, activation=nn.ReLU6()))
    return nn.Sequential(*parts, GlobalAverage(), nn.Linear(1280, 1000))


class Bottleneck(nn.Module):
    def __init__(self, cin, mid, stride, first):
        super().__init__()
        self.shortcut = biased_conv_bn(cin, 4 * mid, 1, stride) if first else None
        self.body = nn.Sequential(
            *biased_conv_bn(cin, mid, 1, stride), nn.ReLU(), *biased_conv_bn(mid, mid, 3), nn.ReLU(),
            *biased_conv_bn(mid, 4 * mid, 1),
        )  # fmt: skip

    def forward(self, x):
        return F.relu(self.body(x) + (self.shortcut(x) if self.shortcut else x))


def biased_conv_bn(cin, cout, kernel, stride=1):
    return nn.Sequential(
        nn.Conv2d(cin, cout, kernel, stride, padding=kernel // 2), nn.BatchNorm2d(cout, eps=1.001e-5, momentum=0.01)
    )


def resnet50():
    """He et al. 2015 as Keras has it: biases, and the stride in the first 1x1 convolution; 224 x 224, 1000 classes."""
    parts = [*biased_conv_bn(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
    cin = 64
    for mid, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(count):
            parts.append(Bottleneck(cin, mid, stride if i == 0 else 1, i == 0))
            cin = 4 * mid
    return nn.Sequential(*parts, GlobalAverage(), nn.Linear(2048, 1000))


def assign(model, arrays):
    """Puts weights in Keras's order and shapes into a model whose modules come in the same order."""
    arrays = list(arrays)
    rows = None  # of the dense kernel that follows a Flatten

    def take(shape=None):
        array = arrays.pop(0)
        return torch.from_numpy(np.ascontiguousarray(array if shape is None else array.reshape(shape)))

    def put(parameter, value):
        if parameter.shape != value.shape:
            raise ValueError(f"weights do not fit: {tuple(parameter.shape)} and {tuple(value.shape)}")
        parameter.data.copy_(value)

    def visit(module):
        nonlocal rows
        if isinstance(module, Flatten):
            rows = module.rows()
        elif isinstance(module, nn.Linear):
            kernel = take()
            put(module.weight, (kernel if rows is None else kernel[rows]).T)
            put(module.bias, take())
            rows = None
        elif isinstance(module, nn.Conv2d):
            kernel = take()
            depthwise = module.groups > 1
            put(module.weight, kernel.permute(2, 3, 0, 1) if depthwise else kernel.permute(3, 2, 0, 1))
            if module.bias is not None:
                put(module.bias, take())
        elif isinstance(module, nn.BatchNorm2d):
            for target in (module.weight, module.bias, module.running_mean, module.running_var):
                put(target, take())
        elif isinstance(module, nn.LayerNorm):
            put(module.weight, take())
            put(module.bias, take())
        elif isinstance(module, nn.Embedding):
            put(module.weight, take())
        elif isinstance(module, (nn.LSTM, nn.GRU)):
            for end in ("", "_reverse") if module.bidirectional else ("",):
                recurrent(module, end)
        elif isinstance(module, Block):
            attention(module)
        else:
            for child in module.children():
                visit(child)

    def recurrent(module, end):
        # Keras: gates i f c o, one bias; z r h with a row of biases for each product. PyTorch: i f g o; r z n.
        gates = [0, 1, 2, 3] if isinstance(module, nn.LSTM) else [1, 0, 2]
        order = lambda x: torch.cat([x.chunk(len(gates), -1)[g] for g in gates], -1)
        put(getattr(module, f"weight_ih_l0{end}"), order(take()).T)
        put(getattr(module, f"weight_hh_l0{end}"), order(take()).T)
        bias = take()
        if bias.ndim == 1:
            bias = torch.stack([bias, torch.zeros_like(bias)])
        put(getattr(module, f"bias_ih_l0{end}"), order(bias[0]))
        put(getattr(module, f"bias_hh_l0{end}"), order(bias[1]))

    def attention(block):
        width = block.out.in_features
        norm = lambda n: (put(n.weight, take()), put(n.bias, take()))
        if block.pre_norm:
            norm(block.norm1)
        parts = [(take((width, width)), take((width,))) for _ in range(3)]
        put(block.qkv.weight, torch.cat([k.T for k, _ in parts]))
        put(block.qkv.bias, torch.cat([b for _, b in parts]))
        put(block.out.weight, take((width, width)).T)
        put(block.out.bias, take())
        norm(block.norm2 if block.pre_norm else block.norm1)
        visit(block.up)
        visit(block.down)
        if not block.pre_norm:
            norm(block.norm2)

    visit(model)
    if arrays:
        raise ValueError(f"{len(arrays)} weights left over")
