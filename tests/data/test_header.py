"""Where tables begin and whether they have a header."""

from fathometer.data.header import find_layout


def rows(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.strip("\n").split("\n")]


def test_names_over_numbers_are_a_header() -> None:
    layout = find_layout(rows("age,income\n31,1000\n44,2000\n"))
    assert (layout.preamble, layout.header, layout.names) == (0, 1, ("age", "income"))


def test_numbers_over_numbers_are_no_header() -> None:
    assert find_layout(rows("1,2\n3,4\n5,6\n")).header == 0


def test_a_category_that_comes_again_is_no_header() -> None:
    assert find_layout(rows("ham,see you there\nspam,win now\nham,on my way\nham,ok\n")).header == 0


def test_names_over_categories_are_a_header() -> None:
    layout = find_layout(rows("colour,shape\n" + "red,round\nblue,square\nred,square\nblue,round\n" * 5))
    assert layout.header == 1


def test_codes_of_one_pattern_are_no_header() -> None:
    assert find_layout(rows("A11,6\nA12,48\nA14,12\nA13,7\n")).header == 0


def test_years_are_a_header_where_words_come_before_them() -> None:
    layout = find_layout(rows("sector,2000,2001,2002,2003\nwood,5,6,7,9\nsteel,9,8,9,1\n"))
    assert layout.header == 1


def test_a_title_above_the_header_is_skipped() -> None:
    layout = find_layout(rows("Emissions by sector,,\n,,\nsector,tonnes,share\nwood,5,0.1\nsteel,7,0.2\n"))
    assert (layout.preamble, layout.names[0]) == (2, "sector")


def test_a_title_with_a_delimiter_in_it_is_skipped() -> None:
    layout = find_layout(
        rows("Created by Analyst,Wednesday,2016\nwave,height\n4000,0.1\n3999,0.2\n3998,0.3\n")
    )
    assert (layout.preamble, layout.names) == (1, ("wave", "height"))


def test_lines_of_two_cells_before_a_wide_table_are_skipped() -> None:
    about = "station,X\nlatitude,3.5\nlongitude,4.5\nheight,100\nunit,C\n"
    layout = find_layout(rows(about + "day,min,max,mean,rain,wind\n" + "1,2,3,4,5,6\n" * 20))
    assert (layout.preamble, layout.header) == (5, 1)


def test_a_header_of_several_rows_is_joined() -> None:
    layout = find_layout(rows("region,region,region\nnorth,south,east\n1,2,3\n4,5,6\n7,8,9\n"))
    assert (layout.header, layout.names) == (2, ("region north", "region south", "region east"))


def test_titles_of_groups_of_columns_are_joined() -> None:
    layout = find_layout(
        rows(",2007,,2008,\nsector,volume,share,volume,share\nwood,5,0.1,6,0.1\nsteel,7,0.2,8,0.2\n")
    )
    assert layout.names == ("sector", "2007 volume", "2007 share", "2008 volume", "2008 share")


def test_what_the_user_says_counts() -> None:
    assert find_layout(rows("age,income\n31,1000\n"), header=False).header == 0
    assert find_layout(rows("1,2\n3,4\n"), header=True).names == ("1", "2")
    assert find_layout(rows("x,y\na,b\n1,2\n3,4\n"), skip=1).names == ("a", "b")


def test_nothing_speaks_for_or_against_a_header() -> None:
    assert find_layout(rows("World\nSports\nBusiness\n")).is_unsure


def test_a_sparse_table_begins_with_its_header() -> None:
    text = "minister,date,who,why,,\nSwayne,Oct-14,Tearfund,talk,,\n" + ",,World Vision,,,\n" * 10
    assert find_layout(rows("Meetings,,,,,\n" + text)).names[:2] == ("minister", "date")


def test_no_rows_have_no_table() -> None:
    assert find_layout([]).header == 0
    assert find_layout([["", ""], [""]]).preamble == 2
