"""Names, quantities, durations and other texts, by properties."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from muster import durations, names, quantities
from muster.texts import AbsolutePath
from pydantic import TypeAdapter, ValidationError


@given(st.integers(1, 10**9))
def test_a_duration_reads_what_it_writes(seconds: int) -> None:
    assert durations.seconds(durations.text(seconds)) == seconds


@given(st.text(alphabet="0123456789dhms -.", max_size=8))
def test_a_duration_is_refused_or_counted(text: str) -> None:
    parts = re.findall(r"(\d+)([dhms])", text)
    letters = "".join(letter for _, letter in parts)
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    if not text or "".join(number + letter for number, letter in parts) != text or letters not in _orders():
        with pytest.raises(ValueError, match="not a duration"):
            durations.seconds(text)
    else:
        assert durations.seconds(text) == sum(int(number) * units[letter] for number, letter in parts)


def _orders() -> set[str]:
    subsets = {""}
    for letter in "dhms":
        subsets |= {subset + letter for subset in subsets}
    return subsets


@given(st.integers(0, 10**6), st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "P", "E"]))
def test_decimal_quantities(number: int, suffix: str) -> None:
    powers = dict(zip(["n", "u", "m", "", "k", "M", "G", "T", "P", "E"], range(-9, 19, 3), strict=True))
    assert quantities.amount(f"{number}{suffix}") == Decimal(number).scaleb(powers[suffix])


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_binary_quantities(number: int, power: int) -> None:
    assert quantities.amount(f"{number}{'KMGTPE'[power - 1]}i") == number * 1024**power


@pytest.mark.parametrize(
    ("text", "value"), [("1e3", 1000), ("1E-3", "0.001"), (".5", "0.5"), ("5.", 5), ("1.5Gi", 1.5 * 1024**3)]
)
def test_unusual_quantities(text: str, value: object) -> None:
    assert quantities.amount(text) == Decimal(str(value))


@pytest.mark.parametrize("text", ["", "-1", "1 Gi", "1GB", "1ki", "Gi", "1,5", "0x1", "1\n", "nan", ".", "1e", "1e100"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantities.amount(text)


@given(st.integers(1, 10_000))
def test_the_longest_pod_name_fits(nodes: int) -> None:
    job = "j" * names.train_job_limit(nodes)
    assert len(f"{job}-node-0-{nodes - 1}-abcde") == names.POD_NAME_LIMIT


@pytest.mark.parametrize(("nodes", "limit"), [(1, 48), (10, 48), (11, 47), (100, 47), (101, 46), (1000, 46)])
def test_name_limits(nodes: int, limit: int) -> None:
    assert names.train_job_limit(nodes) == limit


@given(st.text(alphabet="ab0-.A", max_size=70))
def test_a_label_is_what_rfc_1035_says(text: str) -> None:
    legal = 0 < len(text) <= 63 and set(text) <= set("ab0-") and text[0] in "ab" and text[-1] != "-"
    assert bool(re.match(names.LABEL, text)) == legal


Files = st.dictionaries(st.sampled_from("abcd"), st.text(max_size=5))


@given(Files, Files)
def test_a_content_hash_tells_contents_apart(one: dict[str, str], other: dict[str, str]) -> None:
    assert (names.content_hash(one) == names.content_hash(other)) == (one == other)
    assert names.content_hash(one) == names.content_hash(dict(reversed(one.items())))


@given(st.lists(st.sampled_from(["a", "..", ".", "", ".a", "a..", "b c"]), max_size=4))
def test_an_absolute_path_stays_where_it_says(parts: list[str]) -> None:
    text = "/" + "/".join(parts)
    legal = bool(parts) and not {"..", ".", ""} & set(parts)
    try:
        TypeAdapter(AbsolutePath).validate_python(text)
    except ValidationError:
        assert not legal
    else:
        assert legal
