"""Column names made unique and not empty."""

from hypothesis import given
from hypothesis import strategies as st

from fathometer.data.column_names import tidy_names


@given(
    st.lists(
        st.one_of(
            st.text(max_size=4), st.none(), st.integers(0, 3), st.sampled_from(["a", "a_2", "column_1"])
        )
    )
)
def test_names_are_unique_text_in_the_same_order(given_names: list[object]) -> None:
    names, _ = tidy_names(given_names)
    assert len(names) == len(given_names)
    assert len(set(names)) == len(names)
    assert all(isinstance(name, str) and name for name in names)
    assert tidy_names(names) == (names, ())


def test_doubled_and_missing_names_are_said() -> None:
    names, notes = tidy_names(["x", "x", "", " y\n z "])
    assert names == ["x", "x_2", "column_3", "y z"]
    assert notes == (
        "1 column with the name of another was renamed: 'x'.",
        "1 column without a name was named: column_3.",
    )


def test_levels_of_a_name_are_joined() -> None:
    assert tidy_names([("a", "mean"), ("a", "")])[0] == ["a mean", "a"]


def test_twenty_thousand_equal_names_are_renamed() -> None:
    assert tidy_names(["x"] * 20_000)[0][-1] == "x_20000"
