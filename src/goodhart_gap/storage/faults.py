"""What an S3 error means: wait, or give up, and in either case one sentence that names no secret.

Messages of boto3 hold the endpoint and of S3 servers sometimes the key, so nothing of them but the
error's code is ever repeated.
"""

import errno
from dataclasses import dataclass

import botocore.exceptions as botocore
from boto3.exceptions import Boto3Error
from s3transfer.exceptions import RetriesExceededError
from urllib3.exceptions import HTTPError

CREDENTIALS = "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment or in .env"


class DamagedObjectError(Exception):
    """What was moved is not what it should be: it is moved again."""


@dataclass(frozen=True)
class Fault:
    """An error, understood."""

    sentence: str
    passing: bool
    """Whether waiting may help."""
    damaged: bool = False
    """Whether the object itself is to blame."""


_ON_THE_WAY = (botocore.BotoCoreError, Boto3Error, RetriesExceededError, HTTPError, OSError)
"""What else may be raised while bytes move. Anything outside these is a mistake in a program."""


def understand(error: Exception, bucket: str) -> Fault | None:
    """Return what an error of boto3, of the disk, or of our own checks means; None for others."""
    if isinstance(error, botocore.ClientError):
        return _refusal(error, bucket)
    if isinstance(error, DamagedObjectError):
        return Fault(str(error), passing=True, damaged=True)
    if isinstance(error, botocore.NoCredentialsError | botocore.PartialCredentialsError):
        return Fault(f"there are no S3 credentials; {CREDENTIALS.replace('correct', 'set')}", False)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Fault("the disk is full; free some space and run again", passing=False)
    if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.EACCES):
        return Fault(f"{error.filename}: {error.strerror}", passing=False)
    if isinstance(error, botocore.NoRegionError | botocore.ParamValidationError | ValueError):
        kind = type(error).__name__
        text = f"the request cannot be made ({kind}); correct AWS_ENDPOINT_URL, AWS_DEFAULT_REGION"
        return Fault(f"{text} or the prefix", passing=False)
    if isinstance(error, _ON_THE_WAY):
        return Fault(f"the server cannot be reached ({type(error).__name__})", passing=True)
    return None


def _refusal(error: botocore.ClientError, bucket: str) -> Fault:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "NoSuchBucket":
        return Fault(f"there is no bucket {bucket}; create it, or correct storage.prefix", False)
    if code in ("NoSuchKey", "404", "NotFound"):
        return Fault("there is no such object", passing=False)
    if code in ("RequestTimeTooSkewed", "RequestExpired"):
        text = "the clocks of this machine and of the server differ by more than it allows"
        return Fault(f"{text} ({code}); set this machine's clock", passing=False)
    if code in (
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "TokenRefreshRequired",
    ):
        return Fault(f"the server refuses the credentials ({code}); {CREDENTIALS}", passing=False)
    if code in ("AccessDenied", "403", "Forbidden", "AllAccessDisabled"):
        text = "the credentials are not allowed to do this, or are wrong"
        return Fault(f"{text} ({code}); {CREDENTIALS}", passing=False)
    if code in ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraint"):
        return Fault(f"the bucket is in another region ({code}); set AWS_DEFAULT_REGION", False)
    if status >= 500 or status in (408, 429) or code in ("SlowDown", "RequestTimeout"):
        return Fault(f"the server is busy or failing ({code or status})", passing=True)
    return Fault(f"the server refuses the request ({code or status})", passing=False)
