import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lineal.client.capture import gpu

ROOT = Path(__file__).resolve().parents[3]

# A driver of three GPUs: one is lost, one tells neither its power nor its utilisation. It notes when it is opened.
DRIVER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct { unsigned int gpu, memory; } rates;
typedef struct { unsigned long long total, free, used; } memory;
static int names[2] = {0, 1};
#define NUMBER(gpu) (*(int *)(gpu))
int nvmlInitWithFlags(unsigned int flags) {
  FILE *log = fopen(getenv("OPENED"), "a"); fputs("opened\n", log); fclose(log); return 0;
}
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int i, void **gpu) {
  if (i == 1) return 15;  /* the GPU is lost */
  *gpu = &names[i ? 1 : 0]; return 0;
}
int nvmlDeviceGetName(void *gpu, char *name, unsigned int n) {
  snprintf(name, n, NUMBER(gpu) ? "Small 2" : "Big 1"); return 0;
}
int nvmlDeviceGetUtilizationRates(void *gpu, rates *r) {
  if (NUMBER(gpu)) return 3;
  r->gpu = 75; r->memory = 30; return 0;
}
int nvmlDeviceGetMemoryInfo(void *gpu, memory *m) { m->total = 80ULL << 30; m->used = 8ULL << 30; return 0; }
int nvmlDeviceGetTemperature(void *gpu, int sensor, unsigned int *t) { *t = 41; return 0; }
int nvmlDeviceGetPowerUsage(void *gpu, unsigned int *mw) { if (NUMBER(gpu)) return 3; *mw = 123456; return 0; }
const char *nvmlErrorString(int code) { return "not supported"; }
"""
PROGRAM = """
import json, logging
logging.basicConfig(level="DEBUG", format="%(message)s")
from lineal.client.capture.gpu import gpu_names, gpu_sample
print(json.dumps([gpu_names(), gpu_sample(), gpu_sample(), gpu_names()]))
"""


@pytest.fixture
def ask(tmp_path):
    """What is told, said and how often the driver was opened, in a process where the driver's library is ours."""

    def run(library: bool):
        if library:
            (tmp_path / "driver.c").write_text(DRIVER)
            source, target = str(tmp_path / "driver.c"), str(tmp_path / "libnvidia-ml.so.1")
            subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", target, source], check=True)
        opened = tmp_path / "opened"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"LD_LIBRARY_PATH": str(tmp_path), "PYTHONPATH": str(ROOT), "OPENED": str(opened)},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout), done.stderr, opened.read_text().count("opened") if opened.exists() else 0

    return run


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler")
def test_what_the_driver_tells_is_sampled_and_what_it_does_not_is_left_out(ask):
    (names, first, second, again), said, opened = ask(library=True)
    assert names == again == ["Big 1", "Small 2"]
    assert first == second
    assert first == {
        "system.gpu.0.utilisation": 75.0,
        "system.gpu.0.memory_bytes": float(8 << 30),
        "system.gpu.0.memory_total_bytes": float(80 << 30),
        "system.gpu.0.temperature_c": 41.0,
        "system.gpu.0.power_w": 123.456,
        "system.gpu.2.memory_bytes": float(8 << 30),
        "system.gpu.2.memory_total_bytes": float(80 << 30),
        "system.gpu.2.temperature_c": 41.0,
    }
    assert opened == 1
    assert said.count("tells no") == 2
    assert said.count("GPU 1 is not watched") == 1


@pytest.mark.skipif(bool(gpu.gpu_names()), reason="there is a GPU")
def test_a_host_without_a_gpu_says_so_once(ask):
    (names, first, second, again), said, _ = ask(library=False)
    assert (names, first, second, again) == ([], {}, {}, [])
    assert said.count("no NVIDIA GPU is watched") == 1


@pytest.mark.skipif(not gpu.gpu_names(), reason="there is no GPU")
def test_a_real_gpu_is_sampled():
    values = gpu.gpu_sample()
    assert 0 <= values["system.gpu.0.memory_bytes"] <= values["system.gpu.0.memory_total_bytes"]
    assert 0 < values["system.gpu.0.temperature_c"] < 120
    assert all(gpu.gpu_names())


def test_the_library_is_asked_for_only_when_gpus_are(tmp_path):
    program = "import sys, lineal.client.capture.gpu; print('pynvml' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
    assert logging.getLogger("lineal") is gpu._log
