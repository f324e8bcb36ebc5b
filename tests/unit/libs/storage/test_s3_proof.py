from datetime import UTC, datetime

import pytest

from libs.errors import Permanent
from libs.storage.s3_objects import ObjectFacts
from libs.storage.s3_proof import ProofMode, Verdict, judge_bytes, judge_head, proof


def facts(size: int = 3, sha256: str | None = "aa", crc: str | None = None) -> ObjectFacts:
    metadata = {} if sha256 is None else {"sha256": sha256}
    return ObjectFacts("k", size, '"e"', datetime.now(UTC), metadata, crc)


@pytest.mark.parametrize(
    ("found", "crc", "verdict"),
    [
        (facts(), None, Verdict.PROVEN),
        (facts(crc="x"), "x", Verdict.PROVEN),
        (facts(crc="x"), None, Verdict.PROVEN),
        (facts(), "x", Verdict.PROVEN),
        (facts(crc="y"), "x", Verdict.CHECKSUM_DIFFERS),
        (facts(size=4), None, Verdict.SIZE_DIFFERS),
        (facts(sha256="bb"), None, Verdict.CHECKSUM_DIFFERS),
        (facts(sha256=None), None, Verdict.UNDECLARED),
    ],
)
def test_head(found: ObjectFacts, crc: str | None, verdict: Verdict) -> None:
    assert judge_head(found, 3, "aa", crc)[0] is verdict


@pytest.mark.parametrize(
    ("read", "sha", "verdict"),
    [(3, "aa", Verdict.PROVEN), (2, "aa", Verdict.SIZE_DIFFERS), (3, "bb", Verdict.CHECKSUM_DIFFERS)],
)
def test_bytes(read: int, sha: str, verdict: Verdict) -> None:
    assert judge_bytes(read, sha, 3, "aa")[0] is verdict


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.MISSING, "object_missing"),
        (Verdict.SIZE_DIFFERS, "proof_failed"),
        (Verdict.UNDECLARED, "proof_failed"),
    ],
)
def test_require(verdict: Verdict, code: str) -> None:
    made = proof("k", ProofMode.HEAD, (verdict, "words"), 0, "")
    with pytest.raises(Permanent) as caught:
        made.require()
    assert caught.value.problem.code == code


def test_a_proof_is_dated() -> None:
    made = proof("k", ProofMode.BYTES, (Verdict.PROVEN, "words"), 3, '"e"')
    assert made.require() is made
    assert made.at.tzinfo is UTC
