"""How messages are written in a body: protobuf or JSON, the answer as the request."""

from enum import Enum
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from memwarden_collector.errors import Refused

M = TypeVar("M", bound=Message)


class Encoding(Enum):
    """The value is the content type."""

    PROTOBUF = b"application/x-protobuf"
    JSON = b"application/json"

    @classmethod
    def of(cls, content_type: bytes) -> "Encoding":
        """Of a content-type header, with or without parameters; raises Refused (415)."""
        try:
            return cls(_bare(content_type))
        except ValueError:
            raise Refused(
                415,
                "the content-type is neither application/x-protobuf nor application/json",
                reason="content_type",
            ) from None

    @classmethod
    def for_errors(cls, content_type: bytes) -> "Encoding":
        """How to tell an error to who sent this: protobuf where it is neither."""
        return cls.JSON if _bare(content_type) == cls.JSON.value else cls.PROTOBUF

    def parse(self, kind: type[M], body: bytes) -> M:
        """Raises Refused (400). Computes: call it in a thread."""
        try:
            if self is Encoding.PROTOBUF:
                return kind.FromString(body)
            from memwarden_collector.otlp.json_codec import message_from_json

            return message_from_json(kind, body)
        except (DecodeError, ValueError) as error:
            what = f"the body is not an {kind.DESCRIPTOR.name} in {self.name}: {str(error)[:500]}"
            raise Refused(400, what, reason=self.name.lower()) from None

    def serialise(self, message: Message) -> bytes:
        if self is Encoding.PROTOBUF:
            return message.SerializeToString()
        from google.protobuf.json_format import MessageToJson

        return MessageToJson(message, indent=None).encode()


def _bare(content_type: bytes) -> bytes:
    return content_type.split(b";")[0].strip().lower()
