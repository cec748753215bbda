"""A log that keeps only part of the output."""

import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from epochal.runtimes.log import LogFile

LIMIT = 200


@given(st.lists(st.binary(max_size=150) | st.lists(st.sampled_from([b"a", b"b\n"]), max_size=150).map(b"".join)))
def test_beginning_and_end_are_kept_and_the_rest_is_counted(chunks: list[bytes]) -> None:
    """The bytes kept and the bytes left out add up to the whole output, whatever pieces it is written in."""
    output = b"".join(chunks)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.log")
        with LogFile(path, LIMIT) as log:
            for chunk in chunks:
                log.write(chunk)
        kept = path.read_bytes()
    note = re.search(rb"\n\[epochal: (\d+) bytes left out here; see log_mb in server.toml\]\n", kept)
    if note is None:
        assert kept == output
        assert len(kept) <= LIMIT
        return
    beginning, end = kept[: note.start()], kept[note.end() :]
    assert len(beginning) + len(end) <= LIMIT
    assert beginning
    assert output.startswith(beginning)
    assert end
    assert output.endswith(end)
    assert len(beginning) + int(note[1]) + len(end) == len(output)
