"""The secret that sampling and noise are drawn from."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError

_KEY_BYTES = 32
_FORMAT, _SECRET, _KNOWN = "tfdpzoo key 1", "secret", "known"


class SecretKey:
    """256 secret bits, and independent-looking seeds derived from them.

    Whoever knows the key can subtract the noise from a released model, so it is never printed,
    pickled into a record or exported; it lies in the private folder of its run until that ends. A
    derived seed is a keyed BLAKE2b hash of a stream's name and of integers: the same key and names
    always give the same seed, different ones unrelated seeds.

    Args:
        secret: The 32 bytes; `SecretKey.generate()` takes them from the operating system.
        reproducible: Whether the bits are known, as in a test. Guarantees of such runs are invalid.
    """

    def __init__(self, secret: bytes, *, reproducible: bool = False) -> None:
        if len(secret) != _KEY_BYTES:
            raise ValueError(f"A secret key has {_KEY_BYTES} bytes; got {len(secret)}.")
        self._secret = secret
        self._dedicated: set[str] = set()
        self.reproducible = reproducible

    @classmethod
    def generate(cls) -> SecretKey:
        """Returns a new key from the operating system's entropy."""
        return cls(secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def from_seed(cls, seed: int) -> SecretKey:
        """Returns the key of a public seed, for tests only: its noise protects nobody.

        Example:
            >>> SecretKey.from_seed(1).reproducible
            True
        """
        secret = hashlib.blake2b(str(seed).encode(), digest_size=_KEY_BYTES).digest()
        return cls(secret, reproducible=True)

    def derive(self, stream: str, index: int = 0) -> int:
        """Returns the 128-bit seed of `stream` at `index`.

        Args:
            stream: What the seed is for, for example `"sampling"`.
            index: Which of the stream's seeds, for example the number of the update.

        Example:
            >>> key = SecretKey.from_seed(1)
            >>> key.derive("noise", 3) == key.derive("noise", 3) != key.derive("noise", 4)
            True
        """
        message = f"{stream}:{index}".encode()
        digest = hashlib.blake2b(message, key=self._secret, digest_size=16).digest()
        return int.from_bytes(digest, "little")

    def save(self, path: str | Path) -> None:
        """Keeps the key in a file that its owner alone may read, for a run that may be stopped.

        Raises:
            OSError: The file cannot be written.
        """
        replace_durably(path, self._line().encode())

    @classmethod
    def load(cls, path: str | Path) -> SecretKey | None:
        """Reads a key that was saved; returns None where there is none any more.

        Raises:
            InputError: The file is damaged, or is no key.
        """
        try:
            text = Path(path).read_text()
            kind, digits, _ = text.removeprefix(_FORMAT).split()
            key = cls(bytes.fromhex(digits), reproducible=kind == _KNOWN)
            # Other bits than the run's would put other noise below updates that were seen.
            if key._line() != text:
                raise ValueError("The checksum is another.")
            return key
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(
                f"The secret key {path} cannot be read or is damaged; without the file training "
                "goes on with a new key, and updates since the last checkpoint count twice."
            ) from error

    def _line(self) -> str:
        kind = _KNOWN if self.reproducible else _SECRET
        checksum = hashlib.sha256(f"{kind} {self._secret.hex()}".encode()).hexdigest()
        return f"{_FORMAT} {kind} {self._secret.hex()} {checksum}\n"

    def dedicate(self, stream: str) -> None:
        """Reserves a stream for the caller.

        Two models that draw noise from one key have the same noise at the same update, and the
        difference of what they release has none. A reproducible key may be shared: what it is used
        for is invalid anyway.

        Args:
            stream: As in `derive`.

        Raises:
            InputError: The stream is reserved already.
        """
        if stream in self._dedicated and not self.reproducible:
            raise InputError(
                f"The {stream} of another model is drawn from this secret key, and the same "
                f"{stream} must not be used twice; make a new SecretKey.generate() for each model."
            )
        self._dedicated.add(stream)

    def __repr__(self) -> str:
        return "SecretKey(...)"

    def __reduce__(self) -> str | tuple:
        raise TypeError("A secret key is not pickled: it must not leave its run.")
