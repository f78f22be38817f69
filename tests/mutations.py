"""What may happen to a file: random damage, and forgeries whose checksum is right again."""

import io
import json

import numpy as np

from dynlive_rl import checkpoint

SPECIAL = [0, 1, -1, 2, 3, 127, 1e-30, 0.5, 1e6, 1e30, 1e300, 2**31, 2**62, 2**63 - 1, np.nan, np.inf, -np.inf]
WRONG = [
    None, True, "a\nb", -1, 0, 1, 2, 10**9, 2**31, 2**63, 10**30, 10**400, 0.5, -0.5, 1e300, float("nan"), float("inf"), "",
    "x", "box", [], {}, [[]], [1, 2], {"kind": "Discrete"}, [0] * 1000, "O", "float128",
]  # fmt: skip


def damaged(raw, random):
    """Return bytes of a file with random damage, which its checksum has to tell."""
    data = bytearray(raw)
    a, b = sorted(random.integers(0, len(data), 2).tolist())
    match random.integers(9):
        case 0 | 1:
            data[a] ^= 1 << int(random.integers(8))
        case 2:
            for place in random.integers(0, len(data), random.integers(2, 20)).tolist():
                data[place] = int(random.integers(256))
        case 3:
            data[a:b] = bytes(b - a)
        case 4:
            del data[a:]
        case 5:
            data += random.bytes(int(random.integers(1, 100)))
        case 6:
            data[a:a] = random.bytes(int(random.integers(1, 9)))
        case 7:
            del data[a : a + int(random.integers(1, 9))]
        case 8:  # the header, where every byte means something
            place = int(random.integers(0, 8 + int.from_bytes(raw[:8], "little")))
            data[place] = int(random.choice(list(b'0123456789"{}[],:-e \x00')))
    return bytes(data)


def forged(raw, random):
    """Return bytes of a file whose header or arrays were changed, and whose checksum was made right again."""
    file = io.BytesIO(raw)
    kind = checkpoint.kind_of(io.BytesIO(raw))
    upgrades = {k: checkpoint.unchanged for k in range(checkpoint.FORMAT)}
    header, arrays = checkpoint.read(file, kind, upgrades)
    original = header
    for _ in range(1 + random.geometric(0.7)):
        match random.integers(6):
            case 0:
                key = str(random.choice(list(header)))
                header = header | {key: change_somewhere(header[key], random)}
            case 1 if "config" in header or "rule" in header:
                header = header | change_number(original, random)
            case 2 if random.random() < 0.3:
                arrays[str(random.choice(list(arrays)))] = np.zeros(1)
            case 3:
                change_array(arrays, random)
            case _:
                change_gently(arrays, random)
    out = io.BytesIO()
    checkpoint.write(out, kind, header, arrays)
    match random.integers(8):
        case 0:
            return with_other_entries(out.getvalue(), random)
        case 1:
            return without_checksum(out.getvalue(), int(random.choice([1, 2, 3, 3, 3])))
    return out.getvalue()


def change_number(header, random):
    """Return the configuration or rule of a header with one number changed, most often to one that it might be."""
    key = "config" if "config" in header else "rule"
    changed = json.loads(json.dumps(header[key]))
    group = changed if key == "rule" else changed[str(random.choice(list(changed)))]
    name = str(random.choice(list(group)))
    value = group[name]
    if isinstance(value, int | float):
        whole = isinstance(value, int)
        factor = float(random.choice([0, 0.1, 0.5, 2, 10, 1000, 1e6, 1e12, 1e30]))
        group[name] = int(value * factor) if whole else value * factor
    return {key: changed}


def change_gently(arrays, random):
    """Change numbers of an array to others that it might have."""
    name = str(random.choice(list(arrays)))
    array = arrays[name] = arrays[name].copy()
    if not array.size or array.dtype == bool:
        return
    flat = array.reshape(-1)
    a, b = random.integers(0, flat.size, 2)
    match random.integers(4):
        case 0:
            flat[a], flat[b] = flat[b], flat[a]
        case 1:
            flat[a] = flat[b]
        case 2 if array.dtype.kind == "f":
            flat *= (1 + 1e-4 * random.normal(size=flat.size)).astype(array.dtype)
        case _:
            flat[a] += flat.dtype.type(random.choice([1, 2, 100]))


def change_array(arrays, random):
    """Change one array, in one number or in all."""
    name = str(random.choice(list(arrays)))
    array = arrays[name].copy()
    special = SPECIAL[random.integers(len(SPECIAL))]
    with np.errstate(all="ignore"):
        match random.integers(10):
            case 0:
                array = np.full_like(array, np.asarray(special).astype(array.dtype))
            case 1:
                array = random.permuted(array.reshape(-1)).reshape(array.shape)
            case 2:
                del arrays[name]
                return
            case 3:
                array = array.astype(
                    str(random.choice(["float32", "float64", "int64", "int32", "int8", "bool", "uint64"]))
                )
            case 4:
                array = array[..., :-1] if random.integers(2) else np.concatenate([array, array])
            case 5:
                other = str(random.choice(list(arrays)))
                arrays[name], arrays[other] = arrays[other], arrays[name]
                return
            case 6 if array.dtype.kind == "f":
                array *= random.choice([0, 0.5, 1.0001, 2, -1])
            case 7 if array.size and array.dtype != bool:
                bits = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                bits[random.integers(bits.size)] ^= 1 << int(random.integers(8))
                array = bits.view(array.dtype).reshape(array.shape)
            case _:
                if array.size:
                    array.flat[random.integers(array.size)] = np.asarray(special).astype(array.dtype)
    arrays[name] = array


def change_somewhere(value, random):
    """Return a JSON value with something in it changed, left out or added."""
    if isinstance(value, dict | list) and value and random.random() < 0.9:
        value = value.copy()
        key = random.choice(list(value)) if isinstance(value, dict) else int(random.integers(len(value)))
        key = str(key) if isinstance(value, dict) else key
        match random.integers(12):
            case 0:
                del value[key]
            case 1 if isinstance(value, dict):
                value[key + "x"] = value[key]
            case 2 if isinstance(value, list):
                value.append(value[key])
            case _:
                value[key] = change_somewhere(value[key], random)
        return value
    if random.random() < 0.02:
        deep = []
        for _ in range(500):
            deep = [deep]
        return deep
    if isinstance(value, int | float) and random.random() < 0.5:
        real = float(max(-(10**300), min(value, 10**300)))
        return [value + 1, value - 1, value * 2, -value, value * 1000, real][random.integers(6)]
    return WRONG[random.integers(len(WRONG))]


def with_other_entries(raw, random):
    """Return bytes of a file whose list of arrays says something else, with the right checksum."""
    size = int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8 : 8 + size])
    metadata = entries.pop("__metadata__")
    if random.random() < 0.1:
        changed = change_somewhere(json.loads(metadata["dynlive"]), random)
        if isinstance(changed, dict):  # what has no header at all has no place for a checksum
            changed = {"sha256": "0" * 64} | changed | {"sha256": "0" * 64}
            metadata["dynlive"] = json.dumps(changed)
    name = str(random.choice(list(entries)))
    entries[name] = change_somewhere(entries[name], random)
    head = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    whole = len(head).to_bytes(8, "little") + head + raw[8 + size :]
    return b"".join(checkpoint.with_checksum(whole))


def without_checksum(raw, number):
    """Return bytes of a file that says that it is of an older format."""
    size = int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8 : 8 + size])
    header = json.loads(entries["__metadata__"]["dynlive"]) | {"format": number}
    del header["sha256"]
    entries["__metadata__"] = {"dynlive": json.dumps(header)}
    head = json.dumps(entries).encode()
    return len(head).to_bytes(8, "little") + head + raw[8 + size :]
