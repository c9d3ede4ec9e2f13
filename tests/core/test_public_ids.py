"""Keys as they are shown: typed, in one spelling, and nothing else is read."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.public_ids import ALPHABET, decode, encode, uuid7
from tests.sizes import SIZES

EXAMPLES = settings(max_examples=SIZES.hypothesis_examples, deadline=None)


class TestEncode:
    @EXAMPLES
    @given(key=st.uuids(allow_nil=True))
    def test_is_read_back(self, key: UUID) -> None:
        assert decode("pay", encode("pay", key)) == key

    @EXAMPLES
    @given(keys=st.lists(st.uuids(), min_size=2, max_size=2))
    def test_sorts_as_the_keys_do(self, keys: list[UUID]) -> None:
        assert sorted(keys, key=lambda key: key.int) == [decode("x", text) for text in sorted(encode("x", key) for key in keys)]

    def test_has_the_known_spelling(self) -> None:
        assert encode("evt", UUID(int=0)) == "evt_" + "0" * 26
        assert encode("evt", UUID(int=2**128 - 1)) == "evt_7" + "z" * 25
        assert encode("user", UUID("01890a5d-ac96-774b-bcce-b302099a8057")) == "user_01h455vb4pex5vsknk084sn02q"  # TypeID's own example


class TestDecode:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "pay",
            "pay_",
            "0" * 26,
            "_" + "0" * 26,
            "rfd_" + "0" * 26,
            "PAY_" + "0" * 26,
            "pay_" + "0" * 25,
            "pay_" + "0" * 27,
            "pay_8" + "0" * 25,  # above 128 bits
            "pay_" + "0" * 25 + "u",
            "pay_" + "0" * 25 + "A",  # one spelling only
            "pay_" + "0" * 25 + "l",
            "pay_" + "0" * 25 + "é",
            "pay_" + "0" * 25 + "٣",
            "pay-" + "0" * 26,
            "x_pay_" + "0" * 26,
            "01890a5d-ac96-774b-bcce-b302099a8057",
        ],
    )
    def test_refuses_anything_but_the_one_spelling(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a pay id"):
            decode("pay", text)

    @EXAMPLES
    @given(text=st.text(max_size=40))
    def test_never_fails_in_another_way(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a pay id"):
            decode("pay", text)

    @EXAMPLES
    @given(key=st.uuids(), place=st.integers(4, 29), character=st.sampled_from(ALPHABET))
    def test_reads_a_changed_id_as_another_key_or_not_at_all(self, key: UUID, place: int, character: str) -> None:
        text = encode("pay", key)
        forged = text[:place] + character + text[place + 1 :]
        try:
            assert (decode("pay", forged) == key) == (forged == text)
        except ValueError:
            assert forged != text


class TestUuid7:
    def test_grows(self) -> None:
        keys = [uuid7() for _ in range(1000)]
        assert keys == sorted(set(keys))
        assert {key.version for key in keys} == {7}
