"""How the program ends: its exit codes, and the sentence for what went wrong."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import click

from tfdpzoo.errors import InputError
from tfdpzoo.foreign_text import printable

OK = 0
NOT_VERIFIED = 1
PROBLEM_FOUND = 1
BAD_INPUT = 2
UNEXPECTED = 70
STOPPED = 130
CLOSED_PIPE = 141

DOCUMENTATION = """\b
Exit codes:
  0    all went well
  1    verify: the model or its guarantee was altered, or is too weak for --strict;
       guarantee: the record does not verify, or says that no guarantee holds;
       doctor: there is a problem
  2    something in the input cannot be used
  70   an error of the program itself; --debug shows where
  130  stopped by Ctrl-C
  141  nobody reads the output any more
  143  stopped by SIGTERM
"""

DEBUG_VARIABLE = "TFDPZOO_DEBUG"

_SHOWN_OF_A_NAME = 40


class StoppedByUserError(Exception):
    """The user stopped the program; the message says what that leaves behind.

    Attributes:
        exit_code: With which the program ends.
    """

    def __init__(self, message: str, exit_code: int = STOPPED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def exit_code_of(error: BaseException, *, debug: bool) -> int:
    """Tells the user on stderr, in one sentence, why the program ends; returns its exit code.

    Args:
        error: What ended it.
        debug: Whether to print the traceback of an unexpected error.
    """
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # Python flushes stdout once more when it ends, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    if isinstance(error, InputError | click.ClickException):
        _say(f"Error: {_one_line(_message(error))}")
        return BAD_INPUT
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        # Only what was typed can be that long.
        shown = _one_line(str(error.filename))[:_SHOWN_OF_A_NAME]
        _say(f"Error: No file can have a name as long as {shown}...; give a shorter one.")
        return BAD_INPUT
    if isinstance(error, StoppedByUserError):
        _say(str(error))
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        _say("Stopped.")
        return STOPPED
    if debug:
        traceback.print_exception(error)
    reason = _one_line(f"{type(error).__name__}: {error}")
    _say(
        f"Error: tfdpzoo itself failed ({reason[:300]}); please report it with what the same "
        f"command prints after `tfdpzoo --debug`."
    )
    return UNEXPECTED


def _message(error: Exception) -> str:
    if not isinstance(error, click.ClickException):
        return str(error)
    message = error.format_message()
    context = getattr(error, "ctx", None)
    return f"{message} See `{context.command_path} --help`." if context else message


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)
