"""Requests and answers of the HTTP API."""

from pydantic import BaseModel, ConfigDict, Field


class CaptionRequest(BaseModel):
    """The JSON form of a request (the other form is multipart with a file field `image`)."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(min_length=1, description="The image file's bytes in base64; a data: URL prefix is allowed.")


class EntityOut(BaseModel):
    """One entity the model found."""

    tag: str
    box: tuple[float, float, float, float] | None = Field(description="x1, y1, x2, y2 in fractions of the image.")
    confidence: float | None = Field(description="How sure the model is of where the box lies, 0 to 1; null: unknown.")


class ImageOut(BaseModel):
    """What was captioned."""

    sha256: str
    width: int
    height: int


class ModelOut(BaseModel):
    """Which model answered."""

    checkpoint: str
    mode: str
    coordinates: str


class CaptionResponse(BaseModel):
    """A panoptic caption."""

    request_id: str
    image: ImageOut
    caption: str
    entities: list[EntityOut]
    stages: dict[str, str] = Field(description="What each stage said.")
    timings_s: dict[str, float]
    model: ModelOut


class ErrorBody(BaseModel):
    """Why a request was refused."""

    type: str
    message: str
    request_id: str


class ErrorResponse(BaseModel):
    """Every answer that is not 200."""

    error: ErrorBody
