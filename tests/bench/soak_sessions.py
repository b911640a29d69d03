"""Sessions of the soak: all find the tiny models beside the real one, and embed each text anew."""

import os

import psycopg
from engine_process import options

NAME = "soak"  # application_name of those that may be cancelled and terminated
CANCELED = "57014"
TERMINATED = "57P01"
ENGINE_LOST = "08006"


def open_session(engine: str = "server", name: str = NAME) -> psycopg.Connection:
    """Autocommit, waiting for an engine that is started again as long as that may take."""
    path = f"{os.environ['ITEMBANK_MODELS']}:{os.environ['ITEMBANK_FIXTURES']}"
    return psycopg.connect(
        os.environ["ITEMBANK_TEST_URL"],
        autocommit=True,
        application_name=name,
        options=options(engine, model_path=path, engine_start_timeout="30s"),
    )
