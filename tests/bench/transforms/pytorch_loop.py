#!/usr/bin/env python3
"""Samples per second of one training loop in PyTorch: the jet network with masks and 6-bit fake
quantisers, one thread. The peer of train_speed in bench_transforms.

    /usr/bin/python3 pytorch_loop.py BATCH [SECONDS]        (Debian 12: python3-torch, OpenBLAS)

Prints one JSON line. Shapes, masks (70 % zeros), quantisers (weights and activations by the
straight-through estimator), loss and Adam are those of the C++ loop; the data are random, since the
time does not depend on them.
"""

import json
import sys
import time

import torch

WIDTHS = (16, 64, 32, 32, 5)
SAMPLES = 90000


class Cast(torch.autograd.Function):
    """round to a grid of step `step`, clip to [low, high]; gradient passes where not clipped"""

    @staticmethod
    def forward(ctx, x, step, low, high):
        ctx.save_for_backward((x >= low) & (x <= high))
        return torch.clamp(torch.round(x / step), low / step, high / step) * step

    @staticmethod
    def backward(ctx, gradient):
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None, None


class MaskedDense(torch.nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.linear = torch.nn.Linear(n_in, n_out)
        self.register_buffer("mask", (torch.rand(n_out, n_in) < 0.3).float())

    def forward(self, x):
        weight = Cast.apply(self.linear.weight * self.mask, 1 / 32, -1.0, 31 / 32)
        bias = Cast.apply(self.linear.bias, 1 / 64, -2.0, 2 - 1 / 64)
        return torch.nn.functional.linear(x, weight, bias)


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            [MaskedDense(a, b) for a, b in zip(WIDTHS[:-1], WIDTHS[1:])])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = Cast.apply(torch.relu(layer(x)), 1 / 16, 0.0, 4 - 1 / 16)
        return self.layers[-1](x)


def main():
    batch = int(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    torch.set_num_threads(1)
    torch.manual_seed(1)
    features = torch.randn(SAMPLES, WIDTHS[0])
    labels = torch.randint(0, WIDTHS[-1], (SAMPLES,))
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    done = 0
    start = None
    while True:
        order = torch.randperm(SAMPLES)
        for first in range(0, SAMPLES - batch + 1, batch):
            rows = order[first:first + batch]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(features[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            done += batch
            if start is None and done >= 20 * batch:  # warm
                start, done = time.perf_counter(), 0
            if start is not None and time.perf_counter() - start > seconds:
                rate = done / (time.perf_counter() - start)
                print(json.dumps({"batch": batch, "samples_per_s": rate,
                                  "torch": torch.__version__}))
                return


if __name__ == "__main__":
    main()
