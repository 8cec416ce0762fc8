"""`xqdata.toml`, key by key.

Wrong while green would be: a bad value that is taken after all (a number for a text), or an error that names another
key than the one at fault.
"""

from __future__ import annotations

import pytest

from xqdata import config
from xqdata.errors import ConfigError


def load(folder, text):
    (folder / "xqdata.toml").write_text(text, encoding="utf-8")
    return config.load(folder)


def test_without_a_file_the_defaults_hold(tmp_path):
    assert config.load(tmp_path) == config.Config()


def test_everything_that_can_be_said(tmp_path):
    found = load(
        tmp_path,
        r"""
        name = "survey"
        [ingest]
        taxonomy = "mine.toml"
        readers = ["folders"]
        ignore = ["*.bak"]
        patterns = ["{object}_{specimen}.{ext}"]
        regex = ['(?P<object>[a-z]+)']
        polarity = "air_dark"
        window = [0, 4095.0]
        max_pixels = 10
        max_bytes = 20
        [ingest.defaults]
        site = "Incheon"
        kvp = 160
        [[ingest.tables]]
        path = "log.csv"
        file_column = "사진"
        encoding = "cp949"
        columns = { "전압" = "kvp" }
        """,
    )
    assert found.name == "survey"
    assert found.ingest.tables[0].columns == {"전압": "kvp"}
    assert found.ingest.defaults == {"site": "Incheon", "kvp": 160}
    assert found.ingest.window == [0, 4095.0]


def test_a_byte_order_mark_is_no_error(tmp_path):
    (tmp_path / "xqdata.toml").write_bytes(b'\xef\xbb\xbfname = "a"\n')
    assert config.load(tmp_path).name == "a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nmae = 'a'", ["unknown key nmae", "allowed are name, ingest", "did you mean name?"]),
        ("[ingest]\npattern = []", ["unknown key ingest.pattern", "did you mean patterns?"]),
        ("max_pixels = 9", ["unknown key max_pixels", "did you mean ingest.max_pixels?"]),
        ("[[ingest.tables]]\npath = 'a'\nfile = 'b'", ["unknown key ingest.tables[0].file", "file_column"]),
        ("[[ingest.tables]]\nsheet = 'b'", ["key ingest.tables[0].path is missing"]),
        ("ingest = 3", ["key ingest is 3", "allowed is a section"]),
        ("name = 3", ["key name is 3", "allowed is a valid string"]),
        ("[ingest]\nreaders = 'folders'", ["key ingest.readers is 'folders'", "allowed is a list"]),
        ("[ingest]\nreaders = [1]", ["key ingest.readers[0] is 1", "string"]),
        ("[ingest]\npolarity = 'bright'", ["key ingest.polarity is 'bright'", "'air_bright' or 'air_dark'"]),
        ("[ingest]\nmax_pixels = 0", ["key ingest.max_pixels is 0", "greater than or equal to 1"]),
        ("[ingest]\nmax_pixels = '9'", ["key ingest.max_pixels is '9'", "integer"]),
        ("[ingest]\nmax_bytes = true", ["key ingest.max_bytes is True", "integer"]),
        ("[ingest]\nwindow = [5, 5]", ["key ingest.window is [5, 5]", "low below high"]),
        ("[ingest]\nwindow = [1, 2, 3]", ["key ingest.window is", "[low, high]"]),
        ("[ingest]\npatterns = ['object.png']", ["key ingest.patterns[0] is 'object.png'", "{object}_{specimen}"]),
        ("[ingest]\nregex = ['[a']", ["key ingest.regex[0] is '[a'", "a regular expression"]),
        ("[ingest]\nregex = ['[a-z]+']", ["key ingest.regex[0] is", "named groups"]),
        ("[ingest.defaults]\nsite = ['a']", ["key ingest.defaults.site is ['a']", "a text, a number"]),
        ("name = 'a", ["is not valid TOML", "at end of document"]),
        ("name = 'a'\nname = 'b'", ["is not valid TOML"]),
    ],
)
def test_a_wrong_config_is_one_line_with_key_found_and_allowed(tmp_path, text, said):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    line = str(caught.value)
    assert line.startswith("xqdata.toml: ")
    assert "\n" not in line
    for piece in said:
        assert piece in line


def test_a_file_in_another_encoding(tmp_path):
    (tmp_path / "xqdata.toml").write_bytes("name = '사과'".encode("cp949"))
    with pytest.raises(ConfigError, match=r"xqdata.toml: cannot be read"):
        config.load(tmp_path)
