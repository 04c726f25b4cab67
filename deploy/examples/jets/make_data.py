#!/usr/bin/env python3
"""Makes jets.npz: jets of five kinds at the LHC, described by 16 high-level features.

Run by hand, seldom; jets.npz is in the repository. Needs requirements.txt, except that
`--check` needs numpy only. README.md tells the physics, the columns and the limits.

    make_data.py --jets-per-class 30000 --processes 2 --chunk-dir /tmp/jet_chunks
    make_data.py --check
"""

import argparse
import functools
import math
import multiprocessing
import os
import pathlib
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent

# Order of classes and columns: the public set hls4ml_lhc_jets_hlf.
CLASS_NAMES = ("g", "q", "w", "z", "t")
FEATURE_NAMES = (
    "zlogz", "c1_b0_mmdt", "c1_b1_mmdt", "c1_b2_mmdt", "c2_b1_mmdt", "c2_b2_mmdt",
    "d2_b1_mmdt", "d2_b2_mmdt", "d2_a1_b1_mmdt", "d2_a1_b2_mmdt", "m2_b1_mmdt", "m2_b2_mmdt",
    "n2_b1_mmdt", "n2_b2_mmdt", "mass_mmdt", "multiplicity")

HADRONIC_W = ["24:onMode = off", "24:onIfAny = 1 2 3 4 5"]
HADRONIC_Z = ["23:onMode = off", "23:onIfAny = 1 2 3 4 5"]
PROCESSES = {
    "g": ["HardQCD:gg2gg = on", "HardQCD:qqbar2gg = on"],
    "q": ["HardQCD:qq2qq = on", "HardQCD:gg2qqbar = on", "HardQCD:qqbar2qqbarNew = on",
          "HardQCD:nQuarkNew = 3"],
    "w": ["WeakDoubleBoson:ffbar2WW = on"] + HADRONIC_W,
    "z": ["WeakDoubleBoson:ffbar2gmZgmZ = on", "WeakZ0:gmZmode = 2"] + HADRONIC_Z,
    "t": ["Top:gg2ttbar = on", "Top:qqbar2ttbar = on"] + HADRONIC_W,
}
# |PDG id| a hard parton must have for its jet to be kept.
WANTED_IDS = {"g": {21}, "q": {1, 2, 3}, "w": {24}, "z": {23}, "t": {6}}

JET_RADIUS = 0.8
MATCH_RADIUS = 0.4
MIN_JET_PT_GEV, MAX_JET_PT_GEV = 800.0, 1200.0  # the parton's 1 TeV is still in the jet
MAX_JET_ETA = 2.5                               # tracker acceptance
MAX_PARTICLE_ETA = 5.0
MMDT_ZCUT = 0.05  # 0.1 cuts off the softer prong of every fifth W (README.md)
TRAIN_FRACTION, VALIDATION_FRACTION = 0.6, 0.2


# --- One jet: groom, then measure -----------------------------------------------------------


def groomed_constituents(jet, fastjet, ca_definition):
    """Constituents left by mMDT, and the sequence that owns them.

    Source: Dasgupta, Fregoso, Marzani, Salam, "Towards an understanding of jet substructure",
    JHEP 09 (2013) 029; equals soft drop with beta = 0 (Larkoski et al., JHEP 05 (2014) 146):
    undo Cambridge/Aachen steps, drop the softer branch until min(pt)/(pt1+pt2) > zcut.
    Departures: the harder branch by pt is followed, as soft drop does (mMDT: by mT).
    """
    sequence = fastjet.ClusterSequence(list(jet.constituents()), ca_definition)
    branch = fastjet.sorted_by_pt(sequence.inclusive_jets(0.0))[0]
    first, second = fastjet.PseudoJet(), fastjet.PseudoJet()
    while branch.has_parents(first, second):
        if first.perp() < second.perp():
            first, second = second, first
        if second.perp() > MMDT_ZCUT * (first.perp() + second.perp()):
            break
        branch = fastjet.PseudoJet(first)
    return branch, sequence


def _correlators(pt, rapidity, phi):
    """Energy correlation functions of a jet with n constituents.

    Returns [e2(b=0), e2(1), e2(2), 1e3(1), 1e3(2), 2e3(1), 2e3(2), 3e3(1), 3e3(2)], where
    ve3(b) = sum_{i<j<k} z_i z_j z_k (product of the v smallest of the three dR)^b and
    z = pt / sum pt. Source: Moult, Necib, Thaler, JHEP 12 (2016) 153, eq. (3.3).
    """
    n = len(pt)
    z = pt / pt.sum()
    distance_squared = np.zeros((n, n))
    out = np.zeros(9)
    for i in range(n):
        for j in range(i + 1, n):
            delta_phi = abs(phi[i] - phi[j])
            if delta_phi > math.pi:
                delta_phi = 2.0 * math.pi - delta_phi
            r2 = (rapidity[i] - rapidity[j]) ** 2 + delta_phi ** 2
            distance_squared[i, j] = r2
            weight = z[i] * z[j]
            out[0] += weight
            out[1] += weight * math.sqrt(r2)
            out[2] += weight * r2
    for i in range(n):
        for j in range(i + 1, n):
            ij = distance_squared[i, j]
            weight_ij = z[i] * z[j]
            for k in range(j + 1, n):
                ik, jk = distance_squared[i, k], distance_squared[j, k]
                weight = weight_ij * z[k]
                smallest = min(ij, ik, jk)
                all_three = ij * ik * jk
                largest = max(ij, ik, jk)
                two_smallest = all_three / largest if largest > 0.0 else 0.0
                out[3] += weight * math.sqrt(smallest)
                out[4] += weight * smallest
                out[5] += weight * math.sqrt(two_smallest)
                out[6] += weight * two_smallest
                out[7] += weight * math.sqrt(all_three)
                out[8] += weight * all_three
    return out


@functools.lru_cache(maxsize=None)
def compiled_correlators():
    import numba

    return numba.njit(_correlators)


def ratio(numerator, denominator):
    """0 for a groomed jet with too few constituents to have the correlator at all."""
    return numerator / denominator if denominator > 0.0 else 0.0


def features_of_jet(jet, fastjet, ca_definition, correlators):
    """The 16 features in the order of FEATURE_NAMES.

    Source: Coleman et al., "The importance of calorimetry for highly-boosted jet substructure",
    JINST 13 (2018) T01003, section 3, for the choice of observables.
    """
    constituents = jet.constituents()
    pt = np.array([p.perp() for p in constituents])
    z = pt / pt.sum()
    zlogz = float(np.sum(z * np.log(z)))

    groomed, sequence = groomed_constituents(jet, fastjet, ca_definition)
    kept = groomed.constituents()
    e2_b0, e2_b1, e2_b2, e3v1_b1, e3v1_b2, e3v2_b1, e3v2_b2, e3_b1, e3_b2 = correlators(
        np.array([p.perp() for p in kept]), np.array([p.rap() for p in kept]),
        np.array([p.phi() for p in kept]))
    mass = math.sqrt(max(groomed.m2(), 0.0))
    del sequence  # `groomed` and `kept` point into it
    d2_b1 = ratio(e3_b1, e2_b1 ** 3)
    return (zlogz, e2_b0, e2_b1, e2_b2,
            ratio(e3_b1, e2_b1 ** 2), ratio(e3_b2, e2_b2 ** 2),   # C2 = 3e3 / e2^2
            d2_b1, ratio(e3_b2, e2_b2 ** 3),                      # D2 = 3e3 / e2^3
            d2_b1, ratio(e3_b1, e2_b2 ** 1.5),                    # D2(a,b) = 3e3(a) / e2(b)^(3a/b)
            ratio(e3v1_b1, e2_b1), ratio(e3v1_b2, e2_b2),         # M2 = 1e3 / e2
            ratio(e3v2_b1, e2_b1 ** 2), ratio(e3v2_b2, e2_b2 ** 2),  # N2 = 2e3 / e2^2
            mass, float(len(constituents)))


# --- One event, one chunk -------------------------------------------------------------------


def started_pythia(class_name, seed):
    """An initialised generator: 13 TeV, Monash 2013 tune, one hard process."""
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    settings = ["Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}",
                "Beams:idA = 2212", "Beams:idB = 2212", "Beams:eCM = 13000.", "Tune:pp = 14",
                "PhaseSpace:pTHatMin = 985.", "PhaseSpace:pTHatMax = 1015."]
    for line in settings + PROCESSES[class_name]:
        if not pythia.readString(line):
            raise RuntimeError(f"Pythia refuses the setting '{line}'")
    if not pythia.init():
        raise RuntimeError(f"Pythia does not start for class {class_name}")
    return pythia


def visible_particles(event, fastjet):
    particles = []
    for particle in event:
        if particle.isFinal() and particle.isVisible() and abs(particle.eta()) < MAX_PARTICLE_ETA:
            particles.append(fastjet.PseudoJet(
                particle.px(), particle.py(), particle.pz(), particle.e()))
    return particles


def matched_jets(pythia, class_name, jets):
    """At most one jet for each of the two outgoing partons of the hard process."""
    taken = []
    for position in (5, 6):
        parton = pythia.process[position]
        if abs(parton.id()) not in WANTED_IDS[class_name]:
            continue
        best, best_distance = None, MATCH_RADIUS
        for index, jet in enumerate(jets):
            delta_phi = abs(math.remainder(jet.phi() - parton.phi(), 2.0 * math.pi))
            distance = math.hypot(jet.rap() - parton.y(), delta_phi)
            if distance < best_distance:
                best, best_distance = index, distance
        if best is None or best in taken:
            continue
        if jets[best].perp() < MAX_JET_PT_GEV and abs(jets[best].eta()) < MAX_JET_ETA:
            taken.append(best)
    return [jets[index] for index in taken]


def make_chunk(task):
    """Writes one chunk file, [jet_count x 16] float64, unless it is there already."""
    class_name, chunk, jet_count, seed, path = task
    if path.exists():
        return path, 0.0
    import fastjet

    correlators = compiled_correlators()
    started = time.monotonic()
    anti_kt = fastjet.JetDefinition(fastjet.antikt_algorithm, JET_RADIUS)
    cambridge = fastjet.JetDefinition(fastjet.cambridge_algorithm,
                                      fastjet.JetDefinition.max_allowable_R)
    pythia = started_pythia(class_name, seed)
    rows = []
    while len(rows) < jet_count:
        if not pythia.next():
            continue
        sequence = fastjet.ClusterSequence(visible_particles(pythia.event, fastjet), anti_kt)
        jets = sequence.inclusive_jets(MIN_JET_PT_GEV)
        for jet in matched_jets(pythia, class_name, jets):
            rows.append(features_of_jet(jet, fastjet, cambridge, correlators))
    partial = path.with_suffix(".partial.npy")
    np.save(partial, np.array(rows[:jet_count]))
    os.replace(partial, path)
    return path, time.monotonic() - started


def chunk_tasks(arguments):
    """Chunk by chunk through the classes, so that an early stop leaves a balanced set."""
    chunk_count = math.ceil(arguments.jets_per_class / arguments.chunk_jets)
    tasks = []
    for chunk in range(chunk_count):
        for label, class_name in enumerate(CLASS_NAMES):
            seed = arguments.seed * 100000 + chunk * len(CLASS_NAMES) + label + 1
            path = arguments.chunk_dir / f"{class_name}_{arguments.chunk_jets}_{seed}.npy"
            tasks.append((class_name, chunk, arguments.chunk_jets, seed, path))
    return tasks


# --- The data set ---------------------------------------------------------------------------


def assemble(tasks, jets_per_class, seed):
    """Splits, shuffles and packs the chunks into the arrays of jets.npz.

    A class is cut in generation order, so the two jets of an event stay in one split (but for at
    most one event at each cut). mean and sigma are those of the stored float16 train split.
    """
    first_validation = round(jets_per_class * TRAIN_FRACTION)
    first_test = round(jets_per_class * (TRAIN_FRACTION + VALIDATION_FRACTION))
    cuts = {"train": slice(0, first_validation), "validation": slice(first_validation, first_test),
            "test": slice(first_test, jets_per_class)}
    jets_of = {name: np.concatenate([np.load(task[4]) for task in tasks if task[0] == name])
               for name in CLASS_NAMES}
    rng = np.random.default_rng(seed)
    arrays = {}
    for split, cut in cuts.items():
        x = np.concatenate([jets_of[name][cut] for name in CLASS_NAMES])
        y = np.repeat(np.arange(len(CLASS_NAMES), dtype=np.uint8), cut.stop - cut.start)
        order = rng.permutation(len(y))
        arrays[f"x_{split}"] = x[order].astype(np.float16)
        arrays[f"y_{split}"] = y[order]
        report_rounding(split, x[order], arrays[f"x_{split}"])
    train = arrays["x_train"].astype(np.float64)
    arrays["mean"] = train.mean(axis=0).astype(np.float32)
    arrays["sigma"] = train.std(axis=0).astype(np.float32)
    arrays["feature_names"] = np.array(FEATURE_NAMES, dtype="S")
    arrays["class_names"] = np.array(CLASS_NAMES, dtype="S")
    return arrays


def report_rounding(split, exact, stored):
    """What float16 costs, in units of each column's spread; raises if a value does not fit."""
    if not np.isfinite(stored).all():
        raise ValueError(f"{split}: a value does not fit float16")
    error = np.abs(stored.astype(np.float64) - exact).max(axis=0) / exact.std(axis=0)
    tiny = ((np.abs(exact) < 2.0 ** -14) & (exact != 0.0)).sum(axis=0)
    print(f"{split}: largest rounding error {error.max():.2g} sigma "
          f"({FEATURE_NAMES[int(error.argmax())]}); subnormal float16 values: "
          + (", ".join(f"{name} {count}" for name, count in zip(FEATURE_NAMES, tiny) if count)
             or "none"))


# --- Checks (numpy only) --------------------------------------------------------------------


def peak_gev(masses, low, high):
    """Mode of the mass density in [low, high] GeV: 0.25 GeV bins smoothed by a 1.5 GeV Gaussian."""
    step, width = 0.25, 1.5
    edges = np.arange(low - 10.0, high + 10.0 + step, step)
    counts, _ = np.histogram(masses, edges)
    reach = np.arange(-24, 25) * step
    kernel = np.exp(-0.5 * (reach / width) ** 2)
    density = np.convolve(counts, kernel / kernel.sum(), mode="same")
    centres = 0.5 * (edges[1:] + edges[:-1])
    inside = (centres >= low) & (centres <= high)
    return float(centres[inside][density[inside].argmax()])


def onnx_initializers(path):
    """Float weights of an ONNX file by name, read from the protobuf wire format.

    Reads only what jet_dnn.onnx holds (raw little-endian float32), so that --check needs numpy
    alone. Field numbers: onnx.proto, ModelProto.graph 7, GraphProto.initializer 5, TensorProto
    dims 1, name 8, raw_data 9.
    """
    weights = {}
    for graph in fields(path.read_bytes(), 7):
        for tensor in fields(graph, 5):
            dims = [value for value in fields(tensor, 1)]
            if dims and isinstance(dims[0], bytes):
                dims = packed_varints(dims[0])
            name = fields(tensor, 8)[0].decode()
            weights[name] = np.frombuffer(fields(tensor, 9)[0], dtype="<f4").reshape(dims)
    return weights


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def packed_varints(data):
    values, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        values.append(value)
    return values


def fields(data, wanted):
    """All occurrences of one field number of a protobuf message, as int or bytes."""
    found, at = [], 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = data[at:at + size], at + size
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"protobuf wire type {wire}")
        if number == wanted:
            found.append(value)
    return found


def network_logits(weights, x):
    for layer in ("fc1", "fc2", "fc3", "output"):
        x = x @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
        if layer != "output":
            x = np.maximum(x, 0.0)
    return x


def check(data_path, network_path):
    """Prints every check; returns whether all hold."""
    data = np.load(data_path)
    x = np.concatenate([data[f"x_{split}"] for split in ("train", "validation", "test")])
    y = np.concatenate([data[f"y_{split}"] for split in ("train", "validation", "test")])
    x = x.astype(np.float64)
    mass, multiplicity = x[:, FEATURE_NAMES.index("mass_mmdt")], x[:, -1]
    label = {name: index for index, name in enumerate(CLASS_NAMES)}
    held = True

    def expect(what, value, low, high, unit):
        nonlocal held
        good = low <= value <= high
        held = held and good
        print(f"{'ok  ' if good else 'FAIL'} {what}: {value:.4g}{unit} (wanted {low:g} to {high:g})")

    expect("W mass peak", peak_gev(mass[y == label["w"]], 60, 110), 77, 83, " GeV")
    expect("Z mass peak", peak_gev(mass[y == label["z"]], 60, 120), 88, 94, " GeV")
    expect("top mass peak", peak_gev(mass[y == label["t"]], 130, 210), 160, 185, " GeV")
    mean_multiplicity = [multiplicity[y == label[name]].mean() for name in CLASS_NAMES]
    print("     mean multiplicity: "
          + ", ".join(f"{n} {m:.1f}" for n, m in zip(CLASS_NAMES, mean_multiplicity)))
    expect("gluon / quark mean multiplicity",
           mean_multiplicity[label["g"]] / mean_multiplicity[label["q"]], 1.3, 3.0, "")
    for split in ("train", "validation", "test"):
        counts = np.bincount(data[f"y_{split}"], minlength=len(CLASS_NAMES))
        expect(f"{split} jets {counts.sum()}, most / fewest of a class",
               counts.max() / counts.min(), 1.0, 1.0, "")
    expect("non-finite values", float((~np.isfinite(x)).sum()), 0, 0, "")
    if network_path.exists():
        weights = onnx_initializers(network_path)
        for split in ("validation", "test"):
            standardised = (data[f"x_{split}"].astype(np.float64) - data["mean"]) / data["sigma"]
            hits = network_logits(weights, standardised).argmax(axis=1) == data[f"y_{split}"]
            error = 100.0 * math.sqrt(hits.mean() * (1 - hits.mean()) / len(hits))
            expect(f"float network, {split} accuracy (standard error {error:.2f} %)",
                   100.0 * hits.mean(), 68, 85, " %")
    else:
        print(f"FAIL no network at {network_path.name}: run train_network.py")
        held = False
    return held


# --- Command line ---------------------------------------------------------------------------


def parsed_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only check data and network")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "jets.npz")
    parser.add_argument("--network", type=pathlib.Path, default=HERE / "jet_dnn.onnx",
                        help="the network that --check measures")
    parser.add_argument("--jets-per-class", type=int, default=30000)
    parser.add_argument("--chunk-jets", type=int, default=1500,
                        help="jets of one class in a chunk; changing it changes the data")
    parser.add_argument("--chunk-dir", type=pathlib.Path, default=pathlib.Path("jet_chunks"),
                        help="finished chunks; a second run continues from them")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="1 to 8999")
    return parser.parse_args()


def main():
    arguments = parsed_arguments()
    if not arguments.check:
        arguments.chunk_dir.mkdir(parents=True, exist_ok=True)
        tasks = chunk_tasks(arguments)
        with multiprocessing.Pool(arguments.processes) as pool:
            for done, (path, seconds) in enumerate(pool.imap_unordered(make_chunk, tasks), 1):
                print(f"{done}/{len(tasks)} {path.name} {seconds:.0f} s", flush=True)
        arrays = assemble(tasks, arguments.jets_per_class, arguments.seed)
        np.savez_compressed(arguments.output, **arrays)
        print(f"{arguments.output.name}: {arguments.output.stat().st_size / 1e6:.2f} MB")
    return 0 if check(arguments.output, arguments.network) else 1


if __name__ == "__main__":
    sys.exit(main())
