import sys

import numpy as np
import pytest

import skunlearn.__main__
from skunlearn._demo import _command
from skunlearn._demo._models import contenders
from skunlearn._demo._progress import progress


@pytest.fixture
def run(tmp_path, monkeypatch, ridge, piped_ridge):
    """Run the command line in an empty directory, with Ridge only."""
    monkeypatch.chdir(tmp_path)
    models = {"now": None}

    def list_models(table, **_):
        return models["now"] or [ridge if isinstance(table.X, np.ndarray) else piped_ridge]

    def run_demo(**options):
        return _command.run_demo(**options, list_models=list_models)

    monkeypatch.setattr(skunlearn.__main__, "run_demo", run_demo)

    def main(*arguments, models_now=None):
        models["now"] = models_now
        return skunlearn.__main__.main([str(argument) for argument in arguments])

    return main


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "shop.csv"
    rng = np.random.default_rng(0)
    lines = ["who,age,city,bought"]
    for i in range(160):
        city = rng.choice(["Rome", "Oslo"])
        lines.append(f"p{i // 2},{rng.normal():.3f},{city},{rng.choice(['yes', 'no'])}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_from_file_to_table_and_report(run, shop, tmp_path, capsys):
    pytest.importorskip("pandas")
    code = run("demo", "--data", shop, "--target", "bought", "--id", "who")
    out, err = capsys.readouterr()
    assert code == 0
    assert "shop: 160 rows, 2 columns (1 numeric, 1 text), target bought (2 classes)" in out
    assert "shop, piped Ridge:" in err
    page = (tmp_path / "skunlearn-report.html").read_text(encoding="utf-8")
    assert "Forgotten as promised" in page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "skunlearn-report.html"]


def test_named_ids_are_forgotten(run, shop, tmp_path, capsys):
    pytest.importorskip("pandas")
    arguments = ("--data", shop, "--target", "bought", "--id", "who", "--output", "r.html")
    assert run(*arguments, "--forget", "p3", "p70") == 0
    assert "forgot 2 ids one by one (named by the user)" in capsys.readouterr().out
    assert "named by the user" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_bundled_tables_are_the_default(run, tmp_path, monkeypatch, make_table, capsys):
    monkeypatch.setattr(_command, "bundled_tables", lambda: [make_table(n_classes=0)])
    assert run() == 0
    assert "toy: 200 rows" in capsys.readouterr().out
    assert (tmp_path / "skunlearn-report.html").exists()


def test_model_that_forgets_nothing_is_told(run, monkeypatch, make_table, no_op, capsys):
    monkeypatch.setattr(_command, "bundled_tables", lambda: [make_table()])
    assert run(models_now=[no_op]) == 1
    assert "is not what retraining gives: no-op on toy" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "gone.csv", "--target", "y"), "gone.csv: no such file"),
        (("--data", "{shop}", "--target", "price"), "no column 'price'"),
        (("--data", "{shop}", "--target", "bought", "--id", "whom"), "did you mean 'who'"),
        (("--data", "{shop}", "--target", "bought", "--ignore", "x"), "no column 'x'"),
        (("--data", "{shop}", "--target", "bought", "--forget", "p3"), "id 'p3' is not in the"),
        (("--output", "nowhere/r.html"), "there is no directory nowhere"),
        (("--output", "data"), "is a directory"),
    ],
)
def test_bad_input_is_one_line_and_code_2(run, shop, tmp_path, capsys, arguments, message):
    pytest.importorskip("pandas")
    before = sorted(tmp_path.rglob("*"))
    assert run(*(argument.format(shop=shop) for argument in arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("skunlearn: error: ")
    assert message in err
    assert sorted(tmp_path.rglob("*")) == before


def test_request_that_fit_would_refuse(run, tmp_path, make_table, monkeypatch, no_op, capsys):
    from skunlearn.exceptions import NotUnlearnableError

    class Refuses(no_op.make):
        def unlearn(self, sample_ids):
            raise NotUnlearnableError("one class would be left")

    monkeypatch.setattr(_command, "bundled_tables", lambda: [make_table()])
    refusing = type(no_op)("stubborn", Refuses, no_op.namesake, squared=True)
    assert run(models_now=[refusing]) == 2
    assert "toy: stubborn: one class would be left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--data", "a.csv"),
        ("--target", "y"),
        ("--id", "who"),
        ("--seed", "-1"),
        ("--seed", "x"),
        ("--task", "clustering"),
        ("dance",),
    ],
)
def test_wrong_options_are_code_2(run, tmp_path, arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2
    assert "usage: skunlearn" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_and_version(capsys):
    for option in ("--help", "--version"):
        with pytest.raises(SystemExit) as stop:
            skunlearn.__main__.main([option])
        assert stop.value.code == 0
    assert skunlearn.__version__ in capsys.readouterr().out


class _Screen:
    def __init__(self, monkeypatch):
        self.text = ""
        monkeypatch.setattr(sys, "stderr", self)

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_progress_without_rich_counts_on_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    screen = _Screen(monkeypatch)
    with progress("forgetting", 3) as advance:
        advance()
    assert screen.text.startswith("\rforgetting: 1 of 3")
    assert "\n" not in screen.text


def test_progress_with_rich(monkeypatch):
    pytest.importorskip("rich")
    screen = _Screen(monkeypatch)
    with progress("forgetting", 3) as advance:
        advance()
    assert "forgetting" in screen.text


def test_progress_in_a_pipe_is_a_line(capsys):
    with progress("forgetting", 3) as advance:
        advance()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("forgetting: ")


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_every_model_has_a_namesake(make_table, n_classes):
    found = contenders(make_table(n_classes=n_classes), seed=0, jobs=1)
    assert len({contender.name for contender in found}) == len(found) > 2
    for contender in found:
        model = contender.make()
        assert callable(model.unlearn)
        assert hasattr(contender.namesake, "fit")
        assert not hasattr(contender.namesake, "unlearn")
