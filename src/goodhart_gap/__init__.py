"""Does compressing a language model change what it can do compared with what it can explain?"""

from goodhart_gap import registration

registration.install()
