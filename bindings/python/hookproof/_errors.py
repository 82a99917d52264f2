"""The errors of the package, raised by the engine as well as by the adapters."""

TYPE_CHECKING = False


class _Coded(Exception):
    # What an error says stands in `args`: it is made by one call from Rust, pickles, and costs no dict.
    __slots__ = ()

    args: "tuple[str, str, int]"

    if TYPE_CHECKING:

        def __init__(self, message: str, code: str, status: int = 500) -> None: ...

    def __str__(self) -> str:
        return self.args[0]

    @property
    def code(self) -> str:
        """What went wrong, as one word that is the same in every language."""
        return self.args[1]


class VerificationError(_Coded):
    """Why a request does not verify.

    The message is for the developer; the outside gets `status` alone. Neither ever holds a secret, a body or an
    expected signature.

    >>> error = VerificationError("none of the 1 candidates matches", "signature_mismatch", 401)
    >>> error.code, error.status, str(error)
    ('signature_mismatch', 401, 'none of the 1 candidates matches')
    """

    __slots__ = ()

    @property
    def status(self) -> int:
        """The HTTP status that answers such a request."""
        return self.args[2]


class ConfigurationError(_Coded, ValueError):
    """Why an object cannot be built: a secret, a scheme or an option is wrong. Raised at start, not by a request.

    >>> error = ConfigurationError("`tolerance` is `0`", "option_invalid")
    >>> error.code
    'option_invalid'
    """

    __slots__ = ()


class LeaseLost(Exception):
    """Another worker took the claim over, because its lease had ended: the transaction that meets this must abort.

    Let it leave the handler, and the request is answered with 409, so that the sender tries again.
    """

    def __init__(self, message: str = "the lease ended and another worker took the delivery over") -> None:
        super().__init__(message)


for _error in (VerificationError, ConfigurationError, LeaseLost):
    _error.__module__ = "hookproof"
