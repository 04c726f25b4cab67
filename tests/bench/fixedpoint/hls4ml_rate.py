"""Samples per second of hls4ml's compiled emulation (compile(), predict()) of the jet network at
ap_fixed<16,6>, one core, by processor time. Prints JSON. Usage: hls4ml_rate.py NETWORK.onnx
"""
import json
import os
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"
import hls4ml
import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.gemm_to_matmul import GemmToMatMul
from qonnx.util.cleanup import cleanup_model


def main():
    model = onnx.load(sys.argv[1])
    for value in list(model.graph.input) + list(model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    wrapped = cleanup_model(ModelWrapper(model))
    wrapped = cleanup_model(wrapped.transform(GemmToMatMul()))
    config = hls4ml.utils.config_from_onnx_model(
        wrapped, granularity="name", default_precision="ap_fixed<16,6>", backend="Vitis")
    with tempfile.TemporaryDirectory() as folder:
        project = hls4ml.converters.convert_from_onnx_model(
            wrapped, hls_config=config, output_dir=folder, backend="Vitis")
        project.compile()
        samples = np.random.default_rng(1).normal(size=(20000, 16)).astype(np.float32)
        project.predict(samples[:100])
        best = 0.0
        for _ in range(3):
            start = time.process_time()
            project.predict(samples)
            best = max(best, len(samples) / (time.process_time() - start))
    print(json.dumps({"hls4ml": hls4ml.__version__, "samples_per_second": best}))


if __name__ == "__main__":
    main()
