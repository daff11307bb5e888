import schemathesis
from hypothesis import strategies as st
