"""A second opinion on statements and receipts, written from the RFCs and from nothing in this project.

RFC 9052 (COSE_Sign1), RFC 9942 (receipts, RFC9162_SHA256), RFC 9162 section 2.1.3.2 (inclusion), RFC 9943 (statements), RFC 8949
section 4.2.1 (deterministic CBOR). Needs cbor2 and cryptography. One question a line on standard input, as JSON with hex:
{"ask": "statement" | "receipt", "statement", "receipt", "alg": "Ed25519" | "ES256", "key"}; one answer a line: "yes", or "no: why".
"""

import hashlib
import json
import sys
from collections.abc import Mapping

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHMS = {-19: "Ed25519", -8: "Ed25519", -7: "ES256"}


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << 8 * width:
            return bytes([major << 5 | info]) + n.to_bytes(width, "big")
    raise ValueError("a number beyond 64 bits")


def encode(value, ordered):
    """Deterministic CBOR of what statements and receipts are made of; `ordered`: map keys sorted, or as they came."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(encode(one, ordered) for one in value)
    if isinstance(value, Mapping):
        pairs = [(encode(k, ordered), encode(v, ordered)) for k, v in value.items()]
        return head(5, len(pairs)) + b"".join(k + v for k, v in (sorted(pairs) if ordered else pairs))
    if isinstance(value, cbor2.CBORTag):
        return head(6, value.tag) + encode(value.value, ordered)
    raise ValueError(f"a {type(value).__name__}")


def decode(data, ordered=True):
    value = cbor2.loads(data)
    if encode(value, ordered) != data:
        raise ValueError("not deterministic CBOR")
    return value


def sign1(data, ordered=True):
    """The parts of a COSE_Sign1: protected bytes, their map, the unprotected map, payload, signature."""
    message = decode(data, ordered)
    if not isinstance(message, cbor2.CBORTag) or message.tag != 18 or len(message.value) != 4:
        raise ValueError("not a COSE_Sign1")
    protected, unprotected, payload, signature = message.value
    header = decode(protected, ordered) if protected else {}
    if not isinstance(header, Mapping) or not isinstance(unprotected, Mapping) or set(header) & set(unprotected):
        raise ValueError("headers")
    for label in (*header, *unprotected):
        if isinstance(label, bool) or not isinstance(label, (int, str)):
            raise ValueError("a label")
    return protected, header, unprotected, payload, signature


def verify(alg, key, signature, protected, payload):
    message = encode(["Signature1", protected, b"", payload], True)
    if len(signature) != 64:
        raise ValueError("signature length")
    if alg == "Ed25519":
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    else:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + key)
        public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))


def statement(question):
    protected, header, unprotected, payload, signature = sign1(question["statement"])
    claims = header.get(15)
    if ALGORITHMS.get(header.get(1)) != question["alg"] or len(header.get(4, b"")) != 32:
        raise ValueError("alg or kid")
    if not isinstance(claims, Mapping) or not isinstance(claims.get(1), str) or not isinstance(claims.get(2), str):
        raise ValueError("claims")
    if not isinstance(payload, bytes):
        raise ValueError("payload")
    if {258, 259, 260} & set(unprotected):
        raise ValueError("a hash envelope that is not signed")
    verify(question["alg"], question["key"], signature, protected, payload)


def receipt(question):
    protected, _, _, payload, signature = sign1(question["statement"], ordered=False)
    stored = encode(cbor2.CBORTag(18, [protected, {}, payload, signature]), True)
    protected, header, unprotected, payload, signature = sign1(question["receipt"], ordered=False)
    proofs = unprotected[396]
    if header.get(395) != 1 or ALGORITHMS.get(header.get(1)) != question["alg"] or list(proofs) != [-1]:
        raise ValueError("not RFC9162_SHA256 inclusion")
    if "kid" in question and header.get(4) not in (None, question["kid"]):
        raise ValueError("another key")
    [proof] = proofs[-1]
    size, index, path = decode(proof, ordered=False)
    root = inclusion_root(hashlib.sha256(b"\x00" + stored).digest(), index, size, path)
    if payload not in (None, root):
        raise ValueError("another root")
    verify(question["alg"], question["key"], signature, protected, root)


def inclusion_root(leaf, index, size, path):
    """RFC 9162, section 2.1.3.2, step by step."""
    if index >= size or any(len(p) != 32 for p in path):
        raise ValueError("index or path")
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            raise ValueError("path too long")
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\x01" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ValueError("path too short")
    return r


for line in sys.stdin:
    asked = json.loads(line)
    asked |= {name: bytes.fromhex(asked[name]) for name in ("statement", "receipt", "key", "kid") if name in asked}
    try:
        {"statement": statement, "receipt": receipt}[asked["ask"]](asked)
        print("yes")
    except InvalidSignature:
        print("no: the signature")
    except Exception as error:  # whatever else is wrong with hostile bytes
        print("no:", type(error).__name__, str(error).replace("\n", " ")[:80])
