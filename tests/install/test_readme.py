"""What the README tells a newcomer to do."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.fast
def test_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(code, {})
    assert re.search(r"rows removed +2\b", capsys.readouterr().out)


@pytest.mark.fast
@pytest.mark.parametrize("job", ["main job", "tests"])
def test_newcomer_command_is_one_line_that_installs_and_runs(job):
    marked = README.split(f"<!-- newcomer: {job} -->\n")
    assert len(marked) == 2
    (command,) = re.match(r"```sh\n(.*?)\n```\n", marked[1], flags=re.DOTALL).groups()
    assert "\n" not in command
    assert re.match(r"python3 -m venv (\S+) && \1/bin/pip install .*-e", command)
