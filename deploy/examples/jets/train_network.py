#!/usr/bin/env python3
"""Trains the float 16-64-32-32-5 jet network on jets.npz and writes jet_dnn.onnx.

Tried with Debian 12's packages python3-torch (1.13.1), python3-onnx and python3-numpy:
    /usr/bin/python3 train_network.py

Network: the one of Duarte et al., "Fast inference of deep neural networks in FPGAs for particle
physics", JINST 13 (2018) P07027. Its input is the standardised features (x - mean) / sigma, with
mean and sigma from jets.npz; its output is the softmax over class_names.
"""

import argparse
import collections
import copy
import math
import pathlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
OPSET = 13


def jet_network():
    layer = torch.nn.Linear
    return torch.nn.Sequential(collections.OrderedDict([
        ("fc1", layer(16, 64)), ("relu1", torch.nn.ReLU()),
        ("fc2", layer(64, 32)), ("relu2", torch.nn.ReLU()),
        ("fc3", layer(32, 32)), ("relu3", torch.nn.ReLU()),
        ("output", layer(32, 5)), ("softmax", torch.nn.Softmax(dim=1))]))


def split(data, name):
    """features [n x 16] standardised, labels [n]"""
    x = (data[f"x_{name}"].astype(np.float32) - data["mean"]) / data["sigma"]
    return torch.from_numpy(x), torch.from_numpy(data[f"y_{name}"].astype(np.int64))


def logits_of(network, x):
    return network[:-1](x)


@torch.no_grad()
def measure(network, x, labels):
    """(mean cross entropy, accuracy as a fraction, confusion [true x predicted])"""
    logits = logits_of(network, x)
    predicted = logits.argmax(dim=1)
    confusion = torch.bincount(5 * labels + predicted, minlength=25).reshape(5, 5)
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    return loss, (predicted == labels).double().mean().item(), confusion


def train(network, train_set, validation_set, options):
    """Adam, halving the rate when validation stalls; leaves the best validation epoch's weights."""
    x, labels = train_set
    optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5)
    best_loss, best_epoch, best_weights = math.inf, 0, None
    for epoch in range(1, options.epochs + 1):
        order = torch.randperm(len(labels))
        for start in range(0, len(labels), options.batch):
            batch = order[start:start + options.batch]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(logits_of(network, x[batch]), labels[batch])
            loss.backward()
            optimizer.step()
        validation_loss, accuracy, _ = measure(network, *validation_set)
        schedule.step(validation_loss)
        if validation_loss < best_loss:
            best_loss, best_epoch = validation_loss, epoch
            best_weights = copy.deepcopy(network.state_dict())
        print(f"epoch {epoch}: validation loss {validation_loss:.4f}, "
              f"accuracy {100 * accuracy:.2f} %", flush=True)
        if epoch - best_epoch >= options.patience:
            break
    network.load_state_dict(best_weights)
    print(f"kept epoch {best_epoch}")


def export(network, path):
    torch.onnx.export(network, torch.zeros(1, 16), str(path), opset_version=OPSET,
                      input_names=["features"], output_names=["probabilities"],
                      dynamic_axes={"features": {0: "batch"}, "probabilities": {0: "batch"}})


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=HERE / "jets.npz")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "jet_dnn.onnx")
    parser.add_argument("--epochs", type=int, default=150, help="at most")
    parser.add_argument("--patience", type=int, default=15, help="epochs without a better loss")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(1)  # sums in one order: the same seed gives the same network
    torch.manual_seed(options.seed)
    data = np.load(options.data)
    network = jet_network()
    validation_set = split(data, "validation")
    train(network, split(data, "train"), validation_set, options)
    for name, jets in (("validation", validation_set), ("test", split(data, "test"))):
        _, accuracy, confusion = measure(network, *jets)
        error = math.sqrt(accuracy * (1.0 - accuracy) / len(jets[1]))
        print(f"{name} accuracy {100 * accuracy:.2f} +- {100 * error:.2f} % ({len(jets[1])} jets)")
    names = [name.decode() for name in data["class_names"]]
    print("test, % of each true class (row) by predicted class (column): " + " ".join(names))
    for name, row in zip(names, confusion.double()):
        print(f"  {name} " + " ".join(f"{100 * value / row.sum():5.1f}" for value in row))
    export(network, options.output)
    print(f"{options.output.name}: {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
