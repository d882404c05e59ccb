"""What Stepcode runs on: every setting, its default for a laptop, and its environment variable."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(ValueError):
    """A setting that can't be used; the message names its environment variable."""


class Settings(BaseSettings):
    """Settings, read from `STEPCODE_…` variables and a `.env` file; unknown STEPCODE_ variables are refused."""

    model_config = SettingsConfigDict(env_prefix="STEPCODE_", env_file=".env", extra="ignore")

    home: Path = Field(Path(".stepcode"), description="Folder for everything that is kept on this machine.")
    database_url: str = Field(
        "", description="SQLAlchemy URL of the lineage database; empty: SQLite in the home folder."
    )
    artifacts_url: str = Field(
        "", description="file:///folder or s3://host:port/bucket/prefix; empty: a folder in the home folder."
    )
    s3_access_key: str = Field("", description="Access key of the S3 server.")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="Secret key of the S3 server.")
    s3_region: str = Field("us-east-1", description="Region of the S3 server.")
    s3_secure: bool = Field(True, description="Whether to speak TLS to the S3 server.")
    upload_checkpoints: bool | None = Field(
        None,
        description="Whether checkpoints go to the artifact store while training goes on; unset: where it is S3.",
    )
    benchmarks: Path | None = Field(None, description="Folder with public benchmarks; none: they are left out.")
    sandbox: str = Field(
        "bubblewrap", description="Sandbox backend: bubblewrap, or local (no isolation: trusted programs only)."
    )
    workers: int = Field(
        default_factory=lambda: max(1, os.cpu_count() or 1),
        ge=1,
        description="Sandboxed workers on local Ray; default: one per core.",
    )
    ray_address: str = Field("", description="Address of a Ray cluster; empty: a local one for the run.")
    prefect_port: int = Field(4200, ge=1, le=65535, description="Port of the Prefect server of `stepcode up`.")
    reports_port: int = Field(
        4201, ge=1, le=65535, description="Port on which `stepcode up` serves the reports folder."
    )
    model: str = Field("stepcode", description="Name in the model registry.")
    api_key: SecretStr = Field(
        SecretStr(""), description="Key of an OpenAI-compatible server; empty: `OPENAI_API_KEY`, or none."
    )

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home.resolve() / 'stepcode.db'}"

    @property
    def artifacts(self) -> str:
        return self.artifacts_url or (self.home.resolve() / "artifacts").as_uri()

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether the artifact store gets the checkpoints of running stages."""
        if self.upload_checkpoints is None:
            return not self.artifacts.startswith("file:")
        return self.upload_checkpoints


def load_settings() -> Settings:
    """The settings in force; SettingsError names what is wrong and where."""
    known = {f"STEPCODE_{name}".upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith("STEPCODE_") and name not in known)
    if unknown:
        raise SettingsError(
            f"unknown setting {', '.join(unknown)} in the environment; known are {', '.join(sorted(known))}"
        )
    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as error:
        lines = [f"STEPCODE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("; ".join(lines)) from error


def settings_table() -> str:
    """Every setting as a Markdown table, for docs/settings.md: print it with `python -m infra.settings`."""
    rows = [
        f"| `STEPCODE_{name.upper()}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | what it is |", "|---|---|---|", *rows])


def _default(field: FieldInfo) -> str:
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    return "" if field.default_factory is not None or value in (None, "") else f"`{value}`"


if __name__ == "__main__":
    print(settings_table())
