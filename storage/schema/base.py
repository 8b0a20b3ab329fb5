"""What every table is made of: the metadata, and columns of our few kinds.

Lives here: names of constraints, and types that both engines have. Must not live here: tables.
Law: text is ordered by its bytes on either engine.
"""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite's INTEGER has 64 bits already, and only that name makes a primary key its row id."""
NAME = Text().with_variant(Text(collation="C"), "postgresql")
"""Text in the order of its bytes, as SQLite has it: a server's own order knows languages."""


def text_column(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, NAME, nullable=nullable)


def int_column(name: str) -> Column[int]:
    return Column(name, NUMBER, nullable=False)


def bytes_column(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)
