"""Importing the package is quick, compiles nothing and leaves the process as it was."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
import textwrap

import pytest

import skunlearn

IMPORT_EVERYTHING = """
    from skunlearn.utils.discovery import all_estimators
    from skunlearn.utils import estimator_checks
    all_estimators()
"""


def run(code):
    """Run code in a fresh process and return what it prints as JSON."""
    code = textwrap.dedent(code).replace("IMPORT_EVERYTHING", textwrap.dedent(IMPORT_EVERYTHING))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.fast
def test_import_compiles_no_kernel():
    compiled = run("""
        import json, pkgutil, sys
        from importlib import import_module
        IMPORT_EVERYTHING
        import skunlearn._kernels
        from numba.core.dispatcher import Dispatcher
        kernels = []
        for info in pkgutil.walk_packages(skunlearn._kernels.__path__, "skunlearn._kernels."):
            module = import_module(info.name)
            kernels += [value for value in vars(module).values() if isinstance(value, Dispatcher)]
        print(json.dumps([len(kernels), sum(len(kernel.signatures) for kernel in kernels)]))
    """)
    assert compiled[0] > 0
    assert compiled[1] == 0


@pytest.mark.fast
def test_import_changes_no_global_state():
    before, after = run("""
        import json, locale, logging, os, random, signal, sys, tempfile, threading, warnings
        import numba, numpy, sklearn, sklearn.ensemble, sklearn.pipeline, sklearn.model_selection
        random.seed(0)
        numpy.random.seed(0)

        def state():
            return [
                repr(sklearn.get_config()),
                repr(logging.root.handlers),
                logging.root.level,
                repr(warnings.filters),
                repr(numpy.get_printoptions()),
                repr(numpy.geterr()),
                repr(sorted(os.environ.items())),
                os.getcwd(),
                sys.getrecursionlimit(),
                sys.getswitchinterval(),
                repr(sys.excepthook),
                repr(signal.getsignal(signal.SIGINT)),
                threading.active_count(),
                numba.get_num_threads(),
                repr(locale.setlocale(locale.LC_ALL)),
                repr(random.getstate()),
                repr(numpy.random.get_state()),
            ]

        before = state()
        IMPORT_EVERYTHING
        print(json.dumps([before, state()]))
    """)
    assert before == after


def test_import_costs_less_than_scikit_learn_itself():
    namesake, ours = run("""
        import json, time
        started = time.process_time()
        import sklearn.ensemble, sklearn.linear_model, sklearn.model_selection, sklearn.pipeline
        between = time.process_time()
        IMPORT_EVERYTHING
        print(json.dumps([between - started, time.process_time() - between]))
    """)
    assert ours < namesake


@pytest.mark.fast
def test_optional_packages_are_not_imported_with_the_package():
    imported = run("""
        import json, sys
        import sklearn.ensemble, sklearn.pipeline, sklearn.model_selection
        already = set(sys.modules)
        IMPORT_EVERYTHING
        print(json.dumps(sorted(set(sys.modules) - already)))
    """)
    assert not {"pandas", "polars", "pyarrow", "matplotlib", "rich", "pytest"} & set(imported)


@pytest.mark.fast
def test_the_package_works_without_optional_packages():
    said = run("""
        import json, sys
        absent = ("pandas", "polars", "pyarrow", "matplotlib", "rich", "pytest")

        class Absent:
            def find_spec(self, name, *args):
                if name.partition(".")[0] in absent:
                    raise ImportError(f"{name} is absent")

        sys.meta_path.insert(0, Absent())
        IMPORT_EVERYTHING
        from skunlearn.preprocessing import StandardScaler
        from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks
        model = StandardScaler().fit([[0.0], [1.0], [2.0]], sample_ids=[4, 5, 6]).unlearn(6)
        said = [model.mean_.tolist()]
        for action in (
            model.unlearning_report_.to_frame,
            lambda: parametrize_with_unlearning_checks([model]),
        ):
            try:
                action()
            except ImportError as error:
                said.append(str(error))
        print(json.dumps(said))
    """)
    assert said[0] == [0.5]
    assert "pip install pandas" in said[1]
    assert "pip install pytest" in said[2]


@pytest.mark.fast
def test_the_package_lists_the_public_modules_on_disk():
    on_disk = {
        info.name for info in pkgutil.iter_modules(skunlearn.__path__) if info.name[0] != "_"
    }
    assert set(skunlearn.__all__) - {"show_versions"} == on_disk
    assert sorted(skunlearn.__all__) == sorted(set(skunlearn.__all__))


@pytest.mark.fast
def test_import_loads_no_submodule_and_each_is_reached_by_its_name():
    at_first, listed, reached, later = run("""
        import json, sys
        import skunlearn
        def loaded():
            return sorted(name for name in sys.modules if name.startswith("skunlearn."))
        at_first, listed = loaded(), dir(skunlearn)
        names = [name for name in skunlearn.__all__ if name != "show_versions"]
        reached = {name: getattr(skunlearn, name).__name__ for name in names}
        assert skunlearn.svm.SVC is sys.modules["skunlearn.svm"].SVC
        assert skunlearn.feature_extraction.text.CountVectorizer
        print(json.dumps([at_first, listed, reached, loaded()]))
    """)
    assert at_first == []
    assert {*skunlearn.__all__, "__version__"} <= set(listed)
    assert not [name for name in listed if name[0] == "_" and name[:2] != "__"]
    assert reached == {name: f"skunlearn.{name}" for name in reached}
    assert {f"skunlearn.{name}" for name in reached} <= set(later)


@pytest.mark.fast
def test_import_star_gives_what_is_listed():
    names = run("""
        import json
        before = set(globals())
        from skunlearn import *
        print(json.dumps(sorted(set(globals()) - before - {"before"})))
    """)
    assert names == sorted(skunlearn.__all__)


@pytest.mark.fast
def test_an_unknown_name_raises():
    with pytest.raises(AttributeError, match="module 'skunlearn' has no attribute 'svn'"):
        skunlearn.svn  # noqa: B018
    with pytest.raises(ImportError, match="svn"):
        from skunlearn import svn  # noqa: F401
