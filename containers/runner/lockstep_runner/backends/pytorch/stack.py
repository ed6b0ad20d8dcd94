"""What the software and the device say of themselves."""

import re

DRIVER_FILE = "/proc/driver/nvidia/version"


def signals(torch, device):
    """Signals of the stack."""
    import transformers

    found = {
        "torch.version": torch.__version__,
        "torch.cuda": torch.version.cuda,
        "torch.git": torch.version.git_version,
        "torch.float32_matmul_precision": torch.get_float32_matmul_precision(),
        "torch.debug": bool(torch.version.debug),
        "transformers.version": transformers.__version__,
        **triton(),
    }
    if device.type == "cuda":
        found.update(_gpu(torch, device))
    # What torch has not got is not there, rather than null.
    return {name: value for name, value in found.items() if value is not None}


def triton():
    """Which Triton an import gives, if any."""
    try:
        import triton
    except Exception as error:  # an overlay that does not fit raises anything
        return {"triton.error": _short(error)}
    return {"triton.version": triton.__version__, "triton.path": triton.__file__}


def inductor_view():
    """Whether Inductor would use Triton, by its own test."""
    try:
        from torch.utils._triton import has_triton

        sees = bool(has_triton())
    except Exception as error:
        return {"inductor.sees_triton": False, "inductor.triton_error": _short(error)}
    if sees:
        return {"inductor.sees_triton": True}
    return {"inductor.sees_triton": False, "inductor.triton_error": _why_not()}


def _why_not():
    """Inductor's test swallows the reason: take the same steps."""
    try:
        import triton.backends
    except Exception as error:
        return _short(error)
    return "Triton %s supports no device of this process" % triton.__version__


def _gpu(torch, device):
    properties = torch.cuda.get_device_properties(device)
    return {
        "gpu.name": properties.name,
        "gpu.uuid": "GPU-%s" % properties.uuid,
        "gpu.sm": "sm_%d%d" % (properties.major, properties.minor),
        "gpu.memory_bytes": properties.total_memory,
        "driver": _driver(),
    }


def _driver():
    """torch tells the driver's CUDA version only; the kernel module tells its own."""
    try:
        with open(DRIVER_FILE, encoding="utf-8") as file:
            found = re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", file.read())
    except OSError:
        return None
    return found.group() if found else None


def _short(error):
    return ("%s: %s" % (type(error).__name__, error))[:400]
