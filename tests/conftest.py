from hypothesis import settings

pytest_plugins = ["tests.support.broker"]

# On a machine under load an example may take any time: speed is measured elsewhere.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")
