import pytest


@pytest.fixture(params=[0, 42])
def global_random_seed(request):
    return request.param
