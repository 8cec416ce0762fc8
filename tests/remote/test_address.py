"""Addresses: which text is one, and what is refused.

Wrong while green would be: a path taken for an address; a password that comes through; two spellings of one place that
count as two; a name that only begins as a folder's and counts as inside.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata import paths, remote
from xqdata.errors import InputError
from xqdata.remote import Address


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("s3://bucket", "s3://bucket", "bucket"),
        ("s3://bucket/a/raw//", "s3://bucket/a/raw", "raw"),
        ("S3A://bucket/raw", "s3://bucket/raw", "raw"),
        ("gcs://bucket/한글 1", "gs://bucket/한글 1", "한글 1"),
        ("abfs://box@account.dfs.core.windows.net/raw", "abfs://box@account.dfs.core.windows.net/raw", "raw"),
        ("sftp://me@host:22/raw", "sftp://me@host:22/raw", "raw"),
        ("sftp://host:22/a@b", "sftp://host:22/a@b", "a@b"),
    ],
)
def test_addresses(text, url, name):
    assert remote.is_address(text)
    place = remote.location(text)
    assert (str(place), place.name) == (url, name)
    assert remote.location(str(place)) == place  # as provenance spells it


@pytest.mark.parametrize("text", ["raw", "/data/raw", "a:b", "s3:/bucket", "C:\\raw", "://x", "1://x", "raw/s3://b"])
def test_paths(text):
    assert remote.location(text) == Path(text)


def test_files_of_this_machine():
    assert remote.location("file:///data/raw") == Path("/data/raw")


@pytest.mark.parametrize(
    "text",
    [
        "s3://KEY:SECRET@bucket/raw",
        "s3://KEY:SEC/RET@bucket/raw",
        "s3://:SECRET@bucket",
        "sftp://me:SECRET@host:22/raw",
        "https://host/raw?token=SECRET",
        "s3://b/raw?SECRET",
    ],
)
def test_passwords_are_refused_and_not_repeated(text):
    with pytest.raises(InputError) as caught:
        remote.location(text)
    told = str(caught.value)
    assert "SEC" not in told and "KEY" not in told


@pytest.mark.parametrize(
    "text", ["s3://", "s3:///raw", "s3://b//raw", "s3://b/../raw", "s3://b/.", "simplecache::s3://b"]
)
def test_addresses_of_no_folder_are_refused(text):
    if remote.is_address(text):
        with pytest.raises(InputError):
            remote.location(text)
    else:
        assert isinstance(remote.location(text), Path)


def test_inside_is_by_whole_names():
    def place(text):
        return remote.location(text)

    assert remote.within(place("s3://b/raw/x"), place("s3://b/raw"))
    assert remote.within(place("s3://b/raw"), place("s3://b"))
    assert remote.within(place("/a/raw"), place("/a"))
    for one, other in (
        ("s3://b/raw2", "s3://b/raw"),
        ("s3://b/raw", "gs://b"),
        ("s3://bb", "s3://b"),
        ("/s3:/b", "s3://b"),
    ):
        assert not remote.within(place(one), place(other))
        assert not remote.within(place(other), place(one))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_key_comes_back(key):
    assert str(Address("s3://b/raw").file(paths.spell(key))) == f"s3://b/raw/{key}"


def test_the_store_alone():
    assert str(remote.location("s3://b/raw/x").store) == "s3://b"
